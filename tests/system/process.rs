//! The binary under test: started, watched, killed.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Nothing that is awaited here takes nearly as long, even where two cores build something else meanwhile.
const PATIENCE: Duration = Duration::from_secs(40);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// Lines of output that a failure shows.
const TAIL: usize = 60;

/// A folder for the binary's data. It stays where a test failed, to be looked into.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { folder: TempDir::with_prefix("tributary-system-").unwrap() }
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("the data is kept at {}", self.data().display());
        }
    }
}

/// Where a binary listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) http: SocketAddr,
    pub(crate) smtp: SocketAddr,
    pub(crate) lmtp: SocketAddr,
    pub(crate) grpc: SocketAddr,
    pub(crate) metrics: SocketAddr,
}

impl Addresses {
    /// Free ones, for the binary to choose.
    pub(crate) fn any() -> Addresses {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Addresses { http: any, smtp: any, lmtp: any, grpc: any, metrics: any }
    }

    /// Free ones that stay free while nobody listens: no client is given a port of this range for itself.
    pub(crate) fn lasting() -> Addresses {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let free = || loop {
            let offset = std::process::id() as u16 % 100 * 100 + NEXT.fetch_add(1, Ordering::Relaxed);
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 20_000 + offset % 10_000));
            if TcpListener::bind(address).is_ok() {
                return address;
            }
        };
        Addresses { http: free(), smtp: free(), lmtp: free(), grpc: free(), metrics: free() }
    }
}

/// What a process says, line by line.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<VecDeque<(Stream, String)>>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

impl Output {
    fn collect(&self, stream: Stream, from: impl Read + Send + 'static) -> JoinHandle<()> {
        let output = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                output.0.lock().unwrap().push_back((stream, line));
            }
        })
    }

    fn of(&self, stream: Stream) -> String {
        let lines = self.0.lock().unwrap();
        let of_stream = lines.iter().filter(|(from, _)| *from == stream);
        of_stream.map(|(_, line)| format!("{line}\n")).collect()
    }

    fn tail(&self) -> String {
        let lines = self.0.lock().unwrap();
        let tail = lines.iter().skip(lines.len().saturating_sub(TAIL));
        tail.map(|(_, line)| format!("\n  | {line}")).collect()
    }
}

/// A process of the binary that does not outlive its owner.
pub(crate) struct Running {
    child: Child,
    output: Output,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(args: &[&str], input: &[u8]) -> Running {
        // A long run names a copy, which no build meanwhile replaces.
        let built = || env!("CARGO_BIN_EXE_tributary").into();
        let mut child = Command::new(std::env::var_os("TRIBUTARY_BIN").unwrap_or_else(built))
            .args(args)
            .env("NO_COLOR", "1")
            .env("TRIBUTARY_TOKEN", "dev")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let output = Output::default();
        let readers = vec![
            output.collect(Stream::Out, child.stdout.take().unwrap()),
            output.collect(Stream::Err, child.stderr.take().unwrap()),
        ];
        // A process that does not read its input closes it.
        let _ = child.stdin.take().unwrap().write_all(input);
        Running { child, output, readers }
    }

    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The last that it said.
    pub(crate) fn tail(&self) -> String {
        self.output.tail()
    }

    /// Everything that it said to its standard error.
    #[allow(dead_code, reason = "the fault suite alone writes it down")]
    pub(crate) fn said(&self) -> String {
        self.output.of(Stream::Err)
    }

    /// Sends it a signal, such as `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.id().to_string()]).status();
        assert!(sent.unwrap().success(), "a process that runs can be sent {signal}");
    }

    pub(crate) async fn end(&mut self, within: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        while began.elapsed() < within {
            if let Some(status) = self.has_ended() {
                // All that was said has been read.
                self.readers.drain(..).for_each(|reader| reader.join().unwrap());
                return Some(status);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command said before it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn well(self) -> String {
        assert_eq!(self.code, Some(0), "the command fails: {self:?}");
        self.out
    }
}

/// Runs a command of the binary to its end.
pub(crate) async fn command(args: &[&str], input: &[u8]) -> Said {
    let mut running = Running::start(args, input);
    let Some(status) = running.end(PATIENCE).await else {
        panic!("`tributary {}` does not end; it said:{}", args.join(" "), running.output.tail());
    };
    let (out, err) = (running.output.of(Stream::Out), running.output.of(Stream::Err));
    Said { code: status.code(), out, err }
}

/// `tributary dev`, ready to be used.
pub(crate) struct Binary {
    running: Running,
    pub(crate) at: Addresses,
}

impl Binary {
    pub(crate) async fn start(data: &Path, at: Addresses) -> Binary {
        let mut binary = Binary::spawn(data, at);
        binary.at = binary.until("the addresses it serves", async |it| it.printed()).await;
        let ready = format!("http://{}/ready", binary.at.metrics);
        let http = crate::clients::http();
        binary
            .until("/ready to say yes", async |_| {
                let answer = http.get(&ready).send().await.ok()?;
                answer.status().is_success().then_some(())
            })
            .await;
        binary
    }

    /// Started, and not waited for.
    pub(crate) fn spawn(data: &Path, at: Addresses) -> Binary {
        let addresses = [at.http, at.smtp, at.lmtp, at.grpc, at.metrics].map(|address| address.to_string());
        let [http, smtp, lmtp, grpc, metrics] = &addresses;
        let data = data.to_str().unwrap();
        let running = Running::start(
            &[
                "dev",
                "--data",
                data,
                "--http",
                http,
                "--smtp",
                smtp,
                "--lmtp",
                lmtp,
                "--grpc",
                grpc,
                "--metrics",
                metrics,
            ],
            &[],
        );
        Binary { running, at }
    }

    /// The addresses as they were printed, which is how a person finds them.
    fn printed(&self) -> Option<Addresses> {
        let out = self.running.output.of(Stream::Out);
        let line = |what: &str| {
            let rest = out.lines().find_map(|line| line.trim().strip_prefix(what))?;
            let address = rest.split_whitespace().next()?.trim_start_matches("http://");
            address.split('/').next()?.parse().ok()
        };
        Some(Addresses {
            http: line("HTTP webhooks")?,
            smtp: line("SMTP")?,
            lmtp: line("LMTP")?,
            grpc: line("gRPC")?,
            metrics: line("metrics")?,
        })
    }

    /// Looks again and again until there is what is awaited.
    pub(crate) async fn until<T>(
        &mut self,
        awaited: &str,
        mut look: impl AsyncFnMut(&Self) -> Option<T>,
    ) -> T {
        let began = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(began.elapsed());
            if let Ok(Some(found)) = tokio::time::timeout(left, look(self)).await {
                return found;
            }
            if let Some(status) = self.running.has_ended() {
                panic!("awaiting {awaited}, the binary ended with {status}:{}", self.tail());
            }
            if left.is_zero() {
                panic!("awaited in vain: {awaited}; the binary said last:{}", self.tail());
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }

    /// The last that the binary said.
    pub(crate) fn tail(&self) -> String {
        self.running.tail()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.running.child.kill().unwrap();
        let status = self.running.child.wait().unwrap();
        assert!(status.code().is_none(), "the binary ended by itself with {status}:{}", self.tail());
    }

    /// Asks it to stop, by SIGTERM. How long it took, and what it said.
    pub(crate) async fn stop(mut self) -> (Duration, String) {
        let began = Instant::now();
        self.running.signal("TERM");
        let Some(status) = self.running.end(PATIENCE).await else {
            panic!("asked to stop, the binary does not; it said last:{}", self.tail());
        };
        assert_eq!(status.code(), Some(0), "asked to stop, it ends with {status}:{}", self.tail());
        (began.elapsed(), self.tail())
    }
}
