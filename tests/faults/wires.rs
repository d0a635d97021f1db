//! The wires between one worker and the brokers, which can be cut: a proxy a broker.

use std::net::Ipv4Addr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

use crate::brokers::{Brokers, COUNT};

pub(crate) struct Wires {
    state: watch::Sender<State>,
    _proxies: JoinSet<()>,
}

#[derive(Clone, Copy, Default)]
struct State {
    is_cut: bool,
    /// Connections of an earlier one are gone.
    generation: u64,
}

impl Wires {
    pub(crate) async fn lay(brokers: &Brokers) -> Wires {
        let state = watch::Sender::new(State::default());
        let mut proxies = JoinSet::new();
        for port in (brokers.through..).take(COUNT.into()) {
            let listener =
                TcpListener::bind((Ipv4Addr::LOCALHOST, port + COUNT)).await.expect("a proxy's port is free");
            proxies.spawn(proxy(listener, port, state.subscribe()));
        }
        Wires { state, _proxies: proxies }
    }

    /// From now on nothing gets through, either way, and nobody is told.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.is_cut = true);
    }

    /// What was under way arrives now, late; or, with `resets`, never, and its connections are gone.
    pub(crate) fn mend(&self, resets: bool) {
        self.state.send_modify(|state| {
            state.is_cut = false;
            state.generation += u64::from(resets);
        });
    }
}

async fn proxy(listener: TcpListener, to: u16, state: watch::Receiver<State>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(connect(client, to, state.clone()));
    }
}

async fn connect(client: TcpStream, to: u16, mut state: watch::Receiver<State>) {
    let Ok(now) = state.wait_for(|state| !state.is_cut).await.map(|now| *now) else { return };
    let Ok(broker) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else { return };
    let _ = (client.set_nodelay(true), broker.set_nodelay(true));
    let ((from_client, to_client), (from_broker, to_broker)) = (client.into_split(), broker.into_split());
    let mut reset = state.clone();
    tokio::select! {
        () = carry(from_client, to_broker, state.clone()) => {}
        () = carry(from_broker, to_client, state) => {}
        _ = reset.wait_for(|state| state.generation != now.generation) => {}
    }
}

/// Until one side has ended.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if state.wait_for(|state| !state.is_cut).await.is_err()
            || to.write_all(&buffer[..read]).await.is_err()
        {
            return;
        }
    }
}
