//! Tributary on the brokers, its roles apart: processes that can be killed, held up, stopped and started one by one.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    brokers::Brokers,
    clients::{Api, http},
    process::{Addresses, Place, Running, command},
};

/// A member of a group that is silent for so long is given up; no shorter one is allowed by a broker's defaults.
pub(crate) const SESSION: Duration = Duration::from_secs(6);
/// How long anything may take that is awaited here, with seven processes and three brokers on two cores.
const PATIENCE: Duration = Duration::from_secs(90);

const CHANNELS: [&str; 2] = ["channels-1", "channels-2"];
/// The one that reaches the brokers through proxies.
pub(crate) const BEHIND_PROXIES: &str = "router-3";

pub(crate) struct Fleet {
    place: Place,
    proxied: String,
    members: Vec<Member>,
}

pub(crate) struct Member {
    pub(crate) name: &'static str,
    roles: &'static str,
    pub(crate) at: Addresses,
    running: Option<Running>,
}

impl Fleet {
    /// Makes the topics and starts everything: three routers, two edges, the projections, the API.
    pub(crate) async fn start(brokers: &Brokers, prefix: &str) -> Fleet {
        let member = |(name, roles)| Member { name, roles, at: Addresses::lasting(), running: None };
        let all = [
            ("router-1", "router"),
            ("router-2", "router"),
            (BEHIND_PROXIES, "router"),
            ("router-4", "router"),
            (CHANNELS[0], "channels"),
            (CHANNELS[1], "channels"),
            ("projections", "projections"),
            ("api", "api"),
        ];
        let mut fleet =
            Fleet { place: Place::new(), proxied: brokers.proxied(), members: all.map(member).into() };
        std::fs::write(fleet.file("tributary.toml"), fleet.configuration(&brokers.addresses, prefix))
            .unwrap();
        std::fs::write(fleet.file("workspace.toml"), workspace()).unwrap();
        fleet.command(&["topics", "create"]).await;
        let names: Vec<_> =
            fleet.members.iter().map(|member| member.name).filter(|name| *name != "router-4").collect();
        for name in &names {
            fleet.spawn(name);
        }
        for name in &names {
            fleet.until_ready(name).await;
        }
        let (api, file) = (format!("http://{}", fleet.member("api").at.grpc), fleet.file("workspace.toml"));
        command(&["apply", "--addr", &api, file.to_str().unwrap()], b"").await.well();
        fleet
    }

    fn file(&self, name: &str) -> PathBuf {
        let folder = self.place.data();
        let folder = folder.parent().expect("the data lie in a folder");
        folder.join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.place.data()
    }

    fn configuration(&self, brokers: &str, prefix: &str) -> String {
        let data = self.data();
        let token = |name: &str, token: &str, rest: &str| {
            format!(
                "[[tokens]]\ntoken = \"text:{token}\"\ntenant = \"dev\"\nname = \"{name}\"\npii = true\n{rest}\n"
            )
        };
        let agent = |name: &str| token(name, &format!("dev-{name}"), &format!("agent = \"support/{name}\""));
        format!(
            "data = {data:?}\nlog = \"kafka://{brokers}\"\n\
             [kafka]\nprefix = \"{prefix}\"\nsession_seconds = {}\ndelivery_seconds = 10\n\
             [secrets.dev]\ndev = \"text:dev\"\n{}{}{}",
            SESSION.as_secs(),
            token("admin", "dev", "admin = true"),
            agent("agent-1"),
            agent("agent-2"),
        )
    }

    /// A command about this installation, which must succeed; what it said.
    pub(crate) async fn command(&self, words: &[&str]) -> String {
        let file = self.file("tributary.toml");
        let args = [words, &["-c", file.to_str().unwrap()]].concat();
        command(&args, b"").await.well()
    }

    /// Folds everything as the project itself does. What it found, if anything.
    pub(crate) async fn verify(&self) -> Vec<String> {
        let file = self.file("tributary.toml");
        let said = command(&["verify", "-c", file.to_str().unwrap()], b"").await;
        let is_clean = said.code == Some(0) && said.out.contains("no violation");
        (!is_clean).then(|| format!("verify: {said:?}")).into_iter().collect()
    }

    pub(crate) fn api(&self, token: &str) -> Api {
        Api::new(self.member("api").at, token)
    }

    /// Where customers can write: to the one edge or the other.
    pub(crate) fn edge(&self, number: usize) -> Addresses {
        self.member(CHANNELS[number % CHANNELS.len()]).at
    }

    pub(crate) fn member(&self, name: &str) -> &Member {
        self.members.iter().find(|member| member.name == name).expect("a member is known by its name")
    }

    fn member_mut(&mut self, name: &str) -> &mut Member {
        self.members.iter_mut().find(|member| member.name == name).expect("a member is known by its name")
    }

    /// The member of this name in the log.
    pub(crate) fn called(&self, leader: &str) -> Option<&'static str> {
        let is_it = |member: &&Member| {
            member.running.as_ref().is_some_and(|running| leader.ends_with(&format!("-{}", running.id())))
        };
        self.members.iter().find(is_it).map(|member| member.name)
    }

    pub(crate) fn everyone(&self) -> Vec<&'static str> {
        self.members.iter().filter(|member| member.running.is_some()).map(|member| member.name).collect()
    }

    /// Started, and not waited for.
    pub(crate) fn spawn(&mut self, name: &str) {
        let file = self.file("tributary.toml");
        let log = format!("log=kafka://{}", self.proxied);
        let member = self.member_mut(name);
        assert!(member.running.is_none(), "{name} runs already");
        let at = member.at;
        let listeners = [
            ("http", at.http),
            ("smtp", at.smtp),
            ("lmtp", at.lmtp),
            ("grpc", at.grpc),
            ("metrics", at.metrics),
        ];
        let listeners = listeners.map(|(what, address)| format!("{what}.listen={address}"));
        let mut args = vec!["serve", "-c", file.to_str().unwrap(), "--roles", member.roles];
        for set in &listeners {
            args.extend(["--set", set]);
        }
        if name == BEHIND_PROXIES {
            args.extend(["--set", &log]);
        }
        member.running = Some(Running::start(&args, &[]));
    }

    pub(crate) async fn until_ready(&mut self, name: &str) {
        let url = format!("http://{}/ready", self.member(name).at.metrics);
        let (client, began) = (http(), Instant::now());
        let mut why = String::new();
        loop {
            if let Ok(answer) = client.get(&url).send().await {
                if answer.status().is_success() {
                    return;
                }
                why = answer.text().await.unwrap_or_default();
            }
            let running = self.member_mut(name).running.as_mut().expect("only who was started is awaited");
            if let Some(status) = running.has_ended() {
                panic!("{name} ended with {status}:{}", running.tail());
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{name} does not become ready ({why}); it said last:{}",
                running.tail()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn start_again(&mut self, name: &str) {
        self.spawn(name);
        self.until_ready(name).await;
    }

    pub(crate) fn signal(&self, name: &str, signal: &str) {
        self.member(name).running.as_ref().expect("only who runs hears a signal").signal(signal);
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self, name: &str) {
        let mut running = self.member_mut(name).running.take().expect("only who runs can be killed");
        running.signal("KILL");
        let status = running.end(PATIENCE).await.expect("who is killed is gone");
        assert!(status.code().is_none(), "{name} ended by itself with {status}:{}", running.tail());
    }

    /// Asks it to stop, and waits until it has; what was wrong with how it did.
    pub(crate) async fn stop(&mut self, name: &str) {
        let mut running = self.member_mut(name).running.take().expect("only who runs can be stopped");
        running.signal("TERM");
        match running.end(PATIENCE).await {
            None => panic!("asked to stop, {name} does not; it said last:{}", running.tail()),
            Some(status) => {
                assert_eq!(status.code(), Some(0), "asked to stop, {name} ends so:{}", running.tail())
            }
        }
    }

    /// Writes down all that was said, for whoever must find out; those who ended meanwhile are gone.
    pub(crate) fn write_down(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        for member in &self.members {
            if let Some(running) = &member.running {
                std::fs::write(folder.join(format!("{}.log", member.name)), running.said()).unwrap();
            }
        }
    }

    /// The last words of everyone, for whoever must find out.
    pub(crate) fn tails(&self) -> String {
        let said =
            self.members.iter().filter_map(|member| Some((member.name, member.running.as_ref()?.tail())));
        said.map(|(name, tail)| format!("\n{name}:{tail}")).collect()
    }

    /// Those that ended without having been asked to.
    pub(crate) fn ended(&mut self) -> Vec<String> {
        let mut ended = Vec::new();
        for member in &mut self.members {
            if let Some(status) = member.running.as_mut().and_then(Running::has_ended) {
                let tail = member.running.take().map(|running| running.tail()).unwrap_or_default();
                ended.push(format!("{} ended by itself with {status}:{tail}", member.name));
            }
        }
        ended
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.write_down(&self.file("said"));
        }
    }
}

/// The sample workspace, whose bot may be waited for as long as a fault may last: silence is not what is tried here.
fn workspace() -> String {
    let sample = include_str!("../../crates/tributary/src/dev.toml");
    let patient = sample.replace("kind = \"built_in\"", "kind = \"built_in\"\nanswer_within = \"5m\"");
    assert_ne!(sample, patient, "the sample's bot is built in");
    patient
}
