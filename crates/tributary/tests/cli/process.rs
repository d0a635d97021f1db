//! A process of the program that goes on until it is told to stop, and what is done beside it.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use super::*;

/// Killed when dropped.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn new(child: Child) -> Running {
        Running(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn stop(mut self) {
        let asked = Command::new("kill").arg(self.id().to_string()).status().unwrap();
        assert!(asked.success());
        assert!(self.0.wait().unwrap().success(), "it stops in order when told to");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is answered to a message, posted as the owner of the sample's generic inbox would.
pub(crate) fn post(mut stream: TcpStream, body: &str) -> io::Result<String> {
    let head = "POST /webhooks/generic/generic HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer dev\r\nConnection: close";
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Asks again until a message is taken: the inboxes are there only a moment after the process is.
pub(crate) fn until_taken(patience: Duration, ask: impl Fn() -> String) {
    let begun = Instant::now();
    loop {
        let answer = ask();
        if answer.starts_with("HTTP/1.1 200") {
            return;
        }
        assert!(begun.elapsed() < patience, "{answer}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Runs a command until it prints what is awaited.
pub(crate) fn until(patience: Duration, args: &[&str], awaited: &str) -> String {
    let begun = Instant::now();
    loop {
        let output = run(args);
        let text = stdout(&output);
        if text.contains(awaited) {
            return text;
        }
        assert!(begun.elapsed() < patience, "no {awaited:?} in\n{text}{}", stderr(&output));
        thread::sleep(Duration::from_millis(50));
    }
}
