//! `tributary serve`, as an installation that begins with the sample workspace of `tributary dev` runs it.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    time::Duration,
};

use super::{process::Running, *};

const PATIENCE: Duration = Duration::from_secs(60);

/// Killed when dropped.
pub(crate) struct Serving {
    running: Running,
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
        Serving { running: Running::new(child), http }
    }

    /// Posts until it is taken; the process may not even listen yet.
    pub(crate) fn post(&self, body: &str) {
        process::until_taken(PATIENCE, || {
            let asked = TcpStream::connect(("127.0.0.1", self.http));
            asked.and_then(|stream| process::post(stream, body)).unwrap_or_default()
        });
    }

    pub(crate) fn stop(self) {
        self.running.stop();
    }
}

/// Runs a command until it prints what is awaited.
pub(crate) fn until(args: &[&str], awaited: &str) -> String {
    process::until(PATIENCE, args, awaited)
}
