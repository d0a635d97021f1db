//! The floor: a process, and a workspace with many agents who are asked, and finish what they had.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{AGENTS, CAPACITY, PATIENCE, name};
use crate::process::{Addresses, Place, Running, command};

pub(super) struct Floor {
    running: Running,
    pub(super) at: Addresses,
}

impl Floor {
    pub(super) async fn open(place: &Place) -> Floor {
        let folder: PathBuf = place.data().parent().unwrap().to_owned();
        let at = Addresses::lasting();
        let (config, workspace) = (folder.join("tributary.toml"), folder.join("workspace.toml"));
        std::fs::write(&config, configuration(at, &place.data())).unwrap();
        std::fs::write(&workspace, workspace_toml()).unwrap();
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let mut running = Running::start(&["serve", "-c", &path(&config)], &[]);
        let (http, began) = (crate::clients::http(), Instant::now());
        let ready = format!("http://{}/ready", at.metrics);
        while !http.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
            let ended = running.has_ended();
            assert!(
                ended.is_none() && began.elapsed() < PATIENCE,
                "it does not get ready:{}",
                running.tail()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        command(&["apply", "-c", &path(&config), &path(&workspace)], b"").await.well();
        Floor { running, at }
    }

    pub(super) async fn close(mut self) {
        self.running.signal("TERM");
        let status = self.running.end(PATIENCE).await;
        assert!(status.is_some_and(|status| status.success()), "it does not stop:{}", self.running.tail());
    }
}

fn configuration(at: Addresses, data: &Path) -> String {
    let Addresses { http, smtp, lmtp, grpc, metrics } = at;
    let mut text = format!(
        "data = \"{}\"\nhttp.listen = \"{http}\"\nsmtp.listen = \"{smtp}\"\nlmtp.listen = \"{lmtp}\"\n\
         grpc.listen = \"{grpc}\"\nmetrics.listen = \"{metrics}\"\nsecrets.dev.dev = \"text:dev\"\n",
        data.display()
    );
    let mut token = |token: &str, role: &str| {
        text +=
            &format!("[[tokens]]\ntoken = \"text:{token}\"\ntenant = \"dev\"\nname = \"{token}\"\n{role}\n");
    };
    token("dev", "admin = true\npii = true");
    (0..AGENTS).for_each(|agent| token(&name(agent), &format!("agent = \"{}\"", name(agent))));
    text
}

fn workspace_toml() -> String {
    let mut text = r#"
tenant = "dev"

[inboxes.generic]
channel = "generic"
address = "generic"
queue = "floor/first"
sandbox = true

[inboxes.generic.settings]
token = "secret:dev"

[queues."floor/first"]
offer_timeout = "1s"
wrap_up = "2s"
overflow = { to = "floor/second", after = "2s", refusals = 3 }

[queues."floor/second"]
priority = 3
offer_timeout = "1s"
wrap_up = "2s"
"#
    .to_owned();
    for agent in 0..AGENTS {
        let queues = if agent % 3 == 0 { r#""floor/first", "floor/second""# } else { r#""floor/first""# };
        text += &format!("[agents.\"{}\"]\nqueues = [{queues}]\ncapacity = {CAPACITY}\n", name(agent));
    }
    text
}
