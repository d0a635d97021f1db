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
    #[error("{peer}: the rules failed on the input at {position}; it will be set aside")]
    Poison { peer: Peer, position: u64 },
    #[error("{peer}: what was read back is not what was appended")]
    ReadBack { peer: Peer },
    #[error("the fold of a partition broke off")]
    Fold {
        #[source]
        source: tokio::task::JoinError,
    },
    #[error("could not {operation} snapshot {path}")]
    Snapshot {
        operation: &'static str,
        path: String,
        #[source]
        source: std::io::Error,
    },
}
