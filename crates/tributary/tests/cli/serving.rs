//! `tributary serve`, as an installation that begins with the sample workspace of `tributary dev` runs it.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

/// Killed when dropped.
pub(crate) struct Serving {
    child: Child,
    http: u16,
}

impl Serving {
    /// With the configuration at this path, which is written anew: so far, and with listeners and the sample's secret.
    pub(crate) fn start(config: &Path, so_far: &str) -> Serving {
        let dir = config.parent().unwrap();
        let http = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::write(dir.join("secret"), "dev").unwrap();
        let secret = format!("secrets.dev.dev = \"file:{}\"\n", dir.join("secret").display());
        let any =
            ["smtp", "lmtp", "grpc", "metrics"].map(|name| format!("{name}.listen = \"127.0.0.1:0\"\n"));
        let http_listen = format!("http.listen = \"127.0.0.1:{http}\"\n");
        fs::write(config, [&http_listen, &secret, &any.concat(), so_far].concat()).unwrap();
        let mut serve = command(&["serve", "-c", config.to_str().unwrap()]);
        let child = serve.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Serving { child, http }
    }

    /// Posts until it is taken: the inboxes are there a moment after the process is.
    pub(crate) fn post(&self, body: &str) {
        let head = "POST /webhooks/generic/generic HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer dev\r\nConnection: close";
        let begun = Instant::now();
        loop {
            let mut answer = String::new();
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.http)) {
                write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
                // What was read so far tells whether it was taken.
                let _ = stream.read_to_string(&mut answer);
            }
            if answer.starts_with("HTTP/1.1 200") {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{answer}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn stop(mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(asked.success());
        assert!(self.child.wait().unwrap().success(), "it stops in order when told to");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command until it prints what is awaited.
pub(crate) fn until(args: &[&str], awaited: &str) -> String {
    let begun = Instant::now();
    loop {
        let output = run(args);
        let text = stdout(&output);
        if text.contains(awaited) {
            return text;
        }
        assert!(begun.elapsed() < PATIENCE, "no {awaited:?} in\n{text}{}", stderr(&output));
        thread::sleep(Duration::from_millis(50));
    }
}
