//! Against the simulator of Maven's `jsmpp-examples`, a message centre that writes the same id in hexadecimal in its answer
//! and in decimal in its receipt.

use std::{
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    time::Duration,
};

use channels::{Outcome, Sender as _};

use crate::{
    client::{Kept, config, outgoing, start, until},
    foreign::{TESTS, fetched},
};

/// It ends with its standard input, which ends with this.
struct Simulator(Child);

impl Simulator {
    /// None where the port is taken.
    fn at(port: u16) -> Option<Simulator> {
        let mut child = Command::new(format!("{TESTS}/smpp/simulator.sh"))
            .args(["run", &port.to_string(), "acme", "secret"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (ready, listens) = mpsc::channel();
        let said = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in said.map_while(Result::ok) {
                if line.contains("Listening on port") || line.contains("IO error") {
                    let _ = ready.send(line.contains("Listening on port"));
                }
            }
        });
        let simulator = Simulator(child);
        listens
            .recv_timeout(Duration::from_secs(120))
            .expect("it says whether it listens")
            .then_some(simulator)
    }

    fn start() -> Option<(Simulator, SocketAddr)> {
        fetched(&mut Command::new(format!("{TESTS}/smpp/simulator.sh")))?;
        loop {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
            if let Some(simulator) = Simulator::at(free.port()) {
                return Some((simulator, free));
            }
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn jsmpps_message_centre_takes_delivers_and_tells() {
    let Some((simulator, address)) = Simulator::start() else { return };
    let kept: Arc<Kept> = Arc::default();
    let settings = [("receipt_ids", "decimal"), ("enquire_link", "1"), ("response_timeout", "10")];
    let smpp = &start(config(address, &settings), &kept);
    let hello = ("message".to_owned(), "+555".to_owned(), "Hello World".to_owned());
    let greeted = || kept.told().iter().filter(|told| **told == hello).count();
    until("it greets", || greeted() == 1).await;

    let sending = (0..20).map(|number| async move {
        match smpp.send(&outgoing("key", "+4915112345678", &format!("Parcel {number}: 5 € @Köln"))).await {
            Outcome::Sent { provider_id } => provider_id,
            other => panic!("{other:?}"),
        }
    });
    let sent: Vec<String> = futures::future::join_all(sending).await;
    let told = |id: &String| ("delivery".to_owned(), "+4915112345678".to_owned(), id.clone());
    until("all receipts", || sent.iter().all(|id| kept.told().contains(&told(id)))).await;

    // It is gone, and comes back.
    drop(simulator);
    until("nothing is bound", || smpp.binds() == 0).await;
    let _simulator = Simulator::at(address.port()).expect("the port is free again");
    until("it greets again", || greeted() == 2).await;
    until("it is bound", || smpp.binds() == 1).await;
    let sent = smpp.send(&outgoing("key", "+4915112345678", "and again")).await;
    assert!(matches!(sent, Outcome::Sent { .. }), "{sent:?}");
}
