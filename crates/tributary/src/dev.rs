//! `tributary dev`: everything on loopback, with a sample workspace, for trying things out.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use domain::{CommandId, ContentHash, Intake, Origin, Route, Timestamp, workspace};
use log::clock;
use tokio_util::sync::CancellationToken;

use crate::{
    args::DevArgs,
    config::{Config, Listen, Mail, Secret, Secrets, TokenConfig, read_workspace},
    serve::{Listeners, Process, address},
};

/// The workspace that `dev` begins with; a good start for one's own.
const WORKSPACE: &str = include_str!("dev.toml");
/// Long before this the workspace is in force.
const IN_FORCE: Duration = Duration::from_secs(30);

pub async fn run(args: DevArgs, cancel: CancellationToken) -> anyhow::Result<()> {
    let config = config(&args);
    let listeners = Listeners::bind(&config).await?;
    let welcome = welcome(&args.data, &listeners);
    let process = Process::start(config, listeners).await?;
    apply(&process).await?;
    // Whoever closed standard output does not want to know.
    let _ = writeln!(io::stdout(), "{welcome}");
    process.run_until(cancel).await
}

fn config(args: &DevArgs) -> Config {
    let listen = |address: SocketAddr| Listen { listen: Some(address) };
    let mail = |address: SocketAddr| Mail { listen: Some(address), ..Mail::default() };
    let tenant = || "dev".to_owned().try_into().map_err(anyhow::Error::msg);
    let token = |text: &str, name: &str, agent: Option<&str>| {
        Some(TokenConfig {
            token: Secret::reference(format!("text:{text}")),
            tenant: tenant().ok()?,
            name: name.into(),
            admin: agent.is_none(),
            agent: agent.map(|agent| format!("support/{agent}")),
            bot: None,
            pii: true,
        })
    };
    let tokens = [
        token("dev", "admin", None),
        token("dev-agent-1", "agent-1", Some("agent-1")),
        token("dev-agent-2", "agent-2", Some("agent-2")),
    ];
    Config {
        data: args.data.clone(),
        http: listen(args.http),
        smtp: mail(args.smtp),
        lmtp: mail(args.lmtp),
        grpc: listen(args.grpc),
        metrics: listen(args.metrics),
        tokens: tokens.into_iter().flatten().collect(),
        secrets: [("dev".to_owned(), Secrets::new([("dev".to_owned(), Secret::reference("text:dev"))]))]
            .into(),
        ..Config::default()
    }
}

/// Makes the sample workspace the policy in force; the same one again changes nothing.
async fn apply(process: &Process) -> anyhow::Result<()> {
    let policy = read_workspace(Path::new("dev.toml"), WORKSPACE)?;
    let at = Timestamp(clock::now());
    let hash = |text: String| {
        let hash = blake3::hash(text.as_bytes());
        std::array::from_fn(|i| hash.as_bytes()[i])
    };
    let (tenant, inbox) = (policy.tenant.clone(), policy.inboxes.keys().next().cloned());
    let intake = Intake::Input {
        origin: Origin::Command {
            id: CommandId(hash(format!("dev workspace at {}", at.0))),
            content: ContentHash(hash(WORKSPACE.to_owned())),
        },
        at,
        tenant: tenant.clone(),
        policy_version: 0,
        command: workspace::Command::Apply(policy.into()),
    };
    let route = Route::Workspace(tenant);
    process
        .post()
        .send::<workspace::Decider>(&route, &intake)
        .await
        .context("could not apply the sample workspace")?;
    // Who reads that it runs may write at once.
    if let Some(inbox) = inbox {
        let taken = tokio::time::timeout(IN_FORCE, process.takes(&inbox)).await;
        taken.context("the sample workspace did not come into force; `tributary events` tells more")?;
    }
    Ok(())
}

/// Where everything is, and something to try for each channel.
fn welcome(data: &Path, listeners: &Listeners) -> String {
    let at = |address: Option<SocketAddr>| address.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let http = at(address(&listeners.http));
    let smtp = at(address(&listeners.smtp));
    let lmtp = at(address(&listeners.lmtp));
    let grpc = at(address(&listeners.grpc));
    let metrics = at(address(&listeners.metrics));
    let outbox = data.join("outbox");
    let outbox = outbox.display();
    format!(
        r#"Tributary is running.

  HTTP webhooks   http://{http}
  SMTP            {smtp}
  LMTP            {lmtp}
  gRPC            {grpc}    (bearer token `dev`; agents: `dev-agent-1`, `dev-agent-2`)
  metrics         http://{metrics}/metrics   (also /live, /ready)
  outbox          {outbox}    (what the sandbox senders sent)

Try it, in another terminal:

  Messenger
    BODY='{{"object":"page","entry":[{{"id":"1","time":1,"messaging":[{{"sender":{{"id":"psid-1"}},"recipient":{{"id":"1"}},"timestamp":'$(date +%s000)',"message":{{"mid":"m-'$RANDOM'","text":"Hello"}}}}]}}]}}'
    curl -s http://{http}/webhooks/meta/messenger -H 'Content-Type: application/json' \
      -H "X-Hub-Signature-256: sha256=$(printf %s "$BODY" | openssl dgst -sha256 -hmac dev -r | cut -d' ' -f1)" -d "$BODY"

  E-mail
    printf 'From: ann@example.org\nTo: support@example.test\nSubject: Hello\n\nI want a person\n' > /tmp/hello.eml
    curl -s smtp://{smtp} --mail-from ann@example.org --mail-rcpt support@example.test --crlf -T /tmp/hello.eml

  SMS (Twilio)
    URL=http://{http}/webhooks/twilio/sms
    curl -s $URL -H "X-Twilio-Signature: $(printf %s "${{URL}}BodyHelloFrom+15550123MessageSidSM1To+15550100" | openssl dgst -sha1 -hmac dev -binary | base64)" \
      --data-urlencode Body=Hello --data-urlencode From=+15550123 --data-urlencode MessageSid=SM1 --data-urlencode To=+15550100

  Generic
    curl -s http://{http}/webhooks/generic/generic -H 'Authorization: Bearer dev' -d '{{"id":"1","from":"ann","text":"Hello"}}'

  See what happened
    tributary events --data {data}
    tributary verify --data {data}
    ls {outbox}/*

Stop with Ctrl-C.
"#,
        data = data.display(),
    )
}
