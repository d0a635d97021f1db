//! A way to a server that can be cut: after so many bytes, or for a while.

#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not each test needs all"
)]

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::SeqCst},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub(crate) struct Wire {
    /// What a client is told to connect to.
    pub(crate) url: String,
    /// Bytes that may still go to the server; at none, every connection is dropped as it is used.
    left: Arc<AtomicI64>,
    accepting: JoinHandle<()>,
}

impl Wire {
    /// To a server's URL.
    pub(crate) async fn to(url: &str) -> Wire {
        let target = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let left = Arc::new(AtomicI64::new(i64::MAX));
        let budget = left.clone();
        let accepting = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(client, target.clone(), budget.clone()));
            }
        });
        Wire { url, left, accepting }
    }

    /// Carries so many bytes more, and then nothing until it is mended.
    pub(crate) fn cut_after(&self, bytes: i64) {
        self.left.store(bytes, SeqCst);
    }

    pub(crate) fn mend(&self) {
        self.left.store(i64::MAX, SeqCst);
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.left.load(SeqCst) <= 0
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(client: TcpStream, target: String, left: Arc<AtomicI64>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = async {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            if left.fetch_sub(count as i64, SeqCst) < count as i64 {
                left.fetch_min(0, SeqCst);
                return;
            }
            if to_server.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    };
    let back = async { drop(tokio::io::copy(&mut from_server, &mut to_client).await) };
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}
