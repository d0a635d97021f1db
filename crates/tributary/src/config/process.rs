//! `tributary.toml`: how this process runs.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use domain::{AgentId, BotId, Millis, TenantId, Topology};
use serde::Deserialize;

use super::{Keys, Objects, S3, Secret, Secrets};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where everything of this process lies: log, keys, read models, snapshots.
    pub data: PathBuf,
    pub roles: Vec<Role>,
    /// `local` (the embedded log, under `data`) or `kafka://HOST:PORT,…`.
    pub log: LogAt,
    pub kafka: Kafka,
    /// How the outside reaches the HTTP edge, for signatures over URLs: `https://hooks.example.com`.
    pub public_url: Option<String>,
    pub http: Listen,
    pub smtp: Mail,
    pub lmtp: Mail,
    /// The name server that is asked about the senders of mail, `IP:PORT`; left out, those that this machine uses.
    pub dns: Option<SocketAddr>,
    pub grpc: Listen,
    pub metrics: Listen,
    pub keys: Keys,
    pub vault: Vault,
    /// Where snapshots are kept for other machines, too.
    pub snapshots: Objects,
    /// Where sealed blobs are; left out, beside the keys.
    pub blobs: Objects,
    pub s3: S3,
    pub partitions: Partitions,
    pub retention: Retention,
    pub tokens: Vec<TokenConfig>,
    /// What each tenant's workspace may name as `secret:NAME`.
    pub secrets: BTreeMap<String, Secrets>,
}

impl Config {
    /// The secrets that this tenant's workspace may name.
    pub fn secrets_of(&self, tenant: &TenantId) -> Secrets {
        self.secrets.get(tenant.as_str()).cloned().unwrap_or_default()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The edges of the channels, and the delivery workers behind them.
    Channels,
    /// The workers of conversations, desks, contacts and workspaces.
    Router,
    /// Timelines and contacts.
    Projections,
    /// gRPC.
    Api,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Channels, Role::Router, Role::Projections, Role::Api];

    /// As it is written in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Channels => "channels",
            Role::Router => "router",
            Role::Projections => "projections",
            Role::Api => "api",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub enum LogAt {
    Local,
    Kafka(String),
}

impl TryFrom<String> for LogAt {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.strip_prefix("kafka://") {
            Some(brokers) => Ok(LogAt::Kafka(brokers.to_owned())),
            None if text == "local" => Ok(LogAt::Local),
            None => Err(format!("{text:?} is not a log: `local` or `kafka://HOST:PORT,…`")),
        }
    }
}

/// What there is to say of the cluster that `log = "kafka://…"` names. A program without Kafka reads it too.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(
    not(feature = "kafka"),
    allow(dead_code, reason = "it is checked, and used by a build with Kafka")
)]
pub struct Kafka {
    /// Stands before the name of every topic and consumer group.
    pub prefix: String,
    /// Copies of every partition; left out: three, or as many as there are brokers.
    pub copies: Option<u16>,
    /// A member of a group that is silent for so long is given up.
    pub session_seconds: u64,
    /// An append that was not acknowledged for so long has failed, as far as anybody can tell.
    pub delivery_seconds: u64,
    /// Processes that fold a partition beside the one that leads it, so that one of them takes over at once.
    pub standbys: usize,
    /// A name for this process, unique in the cluster: restarted within the session, it has its partitions again.
    pub instance: Option<String>,
    /// Settings of librdkafka, such as `security.protocol`; secrets among them as `env:NAME` or `file:PATH`.
    pub client: BTreeMap<String, String>,
}

impl Default for Kafka {
    fn default() -> Self {
        Kafka {
            prefix: "tributary.".into(),
            copies: None,
            session_seconds: 12,
            delivery_seconds: 15,
            standbys: 1,
            instance: None,
            client: BTreeMap::new(),
        }
    }
}

/// A listener. Left out, the default address is used; roles decide which listeners there are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    pub listen: Option<SocketAddr>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    pub listen: Option<SocketAddr>,
    /// The name this server greets with.
    pub hostname: Option<String>,
    /// Longest mail in bytes (25 MiB unless said otherwise).
    pub max_message: Option<usize>,
    /// Memory in bytes that mail on its way in may take.
    pub max_memory: Option<usize>,
    pub max_connections: Option<usize>,
    pub max_connections_per_client: Option<usize>,
    /// Offered to clients by STARTTLS.
    pub tls: Option<Tls>,
}

/// Files in PEM form. Looked at again and again: a renewed certificate is used without a restart.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, and those between it and its authority.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vault {
    /// The key that wraps all keys: 32 bytes, as hex or base64. Lose it and every message is lost with it.
    pub master_key: Option<Secret>,
}

/// Partitions of each aggregate; fixed when the log is created.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Partitions {
    pub conversation: u32,
    pub desk: u32,
    pub delivery: u32,
    pub contact: u32,
}

impl Default for Partitions {
    fn default() -> Self {
        Partitions { conversation: 4, desk: 2, delivery: 4, contact: 2 }
    }
}

impl Partitions {
    /// As a log has them.
    pub fn of(topology: Topology) -> Partitions {
        let Topology { conversation, desk, delivery, contact, workspace: _ } = topology;
        Partitions { conversation, desk, delivery, contact }
    }

    pub fn topology(&self) -> Topology {
        Topology {
            conversation: self.conversation.max(1),
            desk: self.desk.max(1),
            delivery: self.delivery.max(1),
            contact: self.contact.max(1),
            // One, so that inbox names can be kept unique over all tenants.
            workspace: 1,
        }
    }
}

/// How long what nobody needs any more is kept. Decisions are kept for ever.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// What came in, as it came: at least this many days, and longer where a worker's oldest snapshot is older.
    pub intake_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { intake_days: 14 }
    }
}

impl Retention {
    pub fn of_intakes(self) -> runtime::Retention {
        let intake = Millis::hours(u64::from(self.intake_days) * 24);
        runtime::Retention { intake, ..runtime::Retention::default() }
    }
}

/// Who may call the API, and as whom.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    pub token: Secret,
    pub tenant: TenantIdText,
    /// Who it is, in logs and commands.
    pub name: String,
    #[serde(default)]
    pub admin: bool,
    /// `DESK/AGENT`: may work as this agent.
    pub agent: Option<String>,
    /// May answer as this bot.
    pub bot: Option<String>,
    /// May see what customers write, and their addresses.
    #[serde(default)]
    pub pii: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TenantIdText(pub TenantId);

impl TryFrom<String> for TenantIdText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(TenantIdText).map_err(|error: domain::BadId| error.to_string())
    }
}

impl TokenConfig {
    pub fn agent_id(&self) -> anyhow::Result<Option<AgentId>> {
        let parse = |agent: &String| format!("{}/{agent}", self.tenant.0).parse();
        Ok(self.agent.as_ref().map(parse).transpose()?)
    }

    pub fn bot_id(&self) -> anyhow::Result<Option<BotId>> {
        Ok(self.bot.as_ref().map(|bot| bot.parse()).transpose()?)
    }
}

impl Default for Config {
    fn default() -> Self {
        let listen = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let mail = |port| Mail { listen: Some(listen(port)), ..Mail::default() };
        Config {
            data: "data".into(),
            roles: Role::ALL.to_vec(),
            log: LogAt::Local,
            kafka: Kafka::default(),
            public_url: None,
            http: Listen { listen: Some(listen(8080)) },
            smtp: mail(2525),
            lmtp: mail(2424),
            dns: None,
            grpc: Listen { listen: Some(listen(7070)) },
            metrics: Listen { listen: Some(listen(9090)) },
            keys: Keys::default(),
            vault: Vault::default(),
            snapshots: Objects::default(),
            blobs: Objects::default(),
            s3: S3::default(),
            partitions: Partitions::default(),
            retention: Retention::default(),
            tokens: Vec::new(),
            secrets: BTreeMap::new(),
        }
    }
}
