use domain::Peer;

/// Why a worker could not go on. It drops what it knows, folds the log again, and announces itself anew.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{peer}: could not {operation}")]
    Log {
        peer: Peer,
        operation: &'static str,
        #[source]
        source: log::Error,
    },
    /// An accepted record that cannot be decoded stops its reader: it may neither lead nor skip.
    #[error("{peer}: the accepted record at {position} cannot be read")]
    Unreadable {
        peer: Peer,
        position: u64,
        #[source]
        source: wire::Error,
    },
    #[error("{peer}: what the rules decided on {matter} could not be folded; it will be set aside")]
    Poison { peer: Peer, matter: String },
    #[error("{peer}: what was read back is not what was appended")]
    ReadBack { peer: Peer },
    /// The log gave us a place for it, and it does not stand there.
    #[error("{peer}: decision {seq} was lost on its way: {read} was read back first")]
    Lost { peer: Peer, seq: u64, read: u64 },
    #[error("the fold of a partition broke off")]
    Fold {
        #[source]
        source: tokio::task::JoinError,
    },
    #[error("{peer}: the archive cannot be read; it is folded again")]
    Archive {
        peer: Peer,
        #[source]
        source: crate::archive::Error,
    },
    #[error("could not {operation} the index of reading points {path}")]
    Points {
        operation: &'static str,
        path: String,
        #[source]
        source: std::io::Error,
    },
    /// It is tried again, and nobody waits for it.
    #[error("{peer}: its snapshots cannot be mirrored for now")]
    Mirror {
        peer: Peer,
        #[source]
        source: Box<objects::Error>,
    },
    #[error("could not {operation} snapshot {path}")]
    Snapshot {
        operation: &'static str,
        path: String,
        #[source]
        source: std::io::Error,
    },
}
