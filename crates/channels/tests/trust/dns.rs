//! A name server of the test's own, with TXT records (RFC 1035).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;

pub(crate) type Records = BTreeMap<String, Vec<String>>;

const TXT: [u8; 2] = [0, 16];
const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;

/// Answers until the test's runtime ends. Names below `broken.test` fail, those below `silent.test` get no answer.
pub(crate) async fn serve(records: Records) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let records = Arc::new(records);
    tokio::spawn(async move {
        let mut query = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut query).await {
            if let Some(answer) = answer(&query[..length], &records) {
                let _ = socket.send_to(&answer, client).await;
            }
        }
    });
    address
}

fn answer(query: &[u8], records: &Records) -> Option<Vec<u8>> {
    let (mut name, mut at) = (String::new(), 12);
    while query[at] != 0 {
        let label = &query[at + 1..at + 1 + usize::from(query[at])];
        name = format!("{name}{}{}", if name.is_empty() { "" } else { "." }, String::from_utf8_lossy(label));
        at += label.len() + 1;
    }
    let (name, question) = (name.to_lowercase(), &query[12..at + 5]);
    if name.ends_with("silent.test") {
        return None;
    }
    let texts = records.get(&name).filter(|_| query[at + 1..at + 3] == TXT);
    let code = match () {
        () if name.ends_with("broken.test") => SERVER_FAILURE,
        () if records.contains_key(&name) => 0,
        () => NO_SUCH_NAME,
    };
    let mut answer = query[..2].to_vec();
    let count = texts.map_or(0, Vec::len);
    answer.extend([0x85, 0x80 | code, 0, 1, 0, u8::try_from(count).unwrap(), 0, 0, 0, 0]);
    answer.extend(question);
    for text in texts.into_iter().flatten() {
        let pieces = text.as_bytes().chunks(255);
        let data: Vec<u8> = pieces.flat_map(|piece| [&[piece.len() as u8], piece].concat()).collect();
        answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60]);
        answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}
