//! Mail that could not be understood when it came, read once more for an operator.

use async_trait::async_trait;
use bytes::Bytes;
use channels::{FactKind, Intake as _, LogIntake, Refused, email};
use domain::{Channel, InboxId};

/// With the channels of this process. What the mail is now understood to be has an identity of its own kind, so it
/// becomes a message once, however often it is read.
pub struct ReadAgain(pub LogIntake);

#[async_trait]
impl api::ReadAgain for ReadAgain {
    async fn read_again(&self, inbox: &InboxId, raw: Bytes) -> Result<u32, api::NotRead> {
        let refused = |why: String| Err(api::NotRead::Refused(why));
        let channel = self.0.policies.borrow().inbox(inbox).map(|(_, inbox)| inbox.channel);
        if channel != Some(Channel::Email) {
            return refused(format!("there is no mailbox {inbox} any more"));
        }
        // How it was handed over is not known any more; what the mail itself says must do.
        let facts = match email::normalize(Some(inbox.as_str()), &raw, None) {
            Ok(facts) => facts,
            Err(malformed) => return refused(format!("it still cannot be read: {malformed}")),
        };
        if facts.iter().all(|fact| fact.kind == FactKind::Unknown) {
            let reason = facts.into_iter().find_map(|fact| fact.reason);
            return refused(format!("it still cannot be read: {}", reason.unwrap_or_default()));
        }
        let count = u32::try_from(facts.len()).unwrap_or(u32::MAX);
        match self.0.accept(inbox.as_str(), facts, Some(raw)).await {
            Ok(()) => Ok(count),
            Err(error @ Refused::UnknownInbox(_)) => refused(error.to_string()),
            Err(Refused::Unavailable(why)) => Err(api::NotRead::Unavailable(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use api::{NotRead, ReadAgain as _};
    use domain::{
        Intake, Kind, Origin, Policies, Topology,
        conversation::{Command, Decider},
    };
    use log::{Limit, Log as _, MemoryLog, Topic};
    use runtime::Post;
    use tokio::sync::watch;
    use vault::{MasterKey, Vault};

    use super::*;

    const TOPOLOGY: Topology = Topology { conversation: 1, desk: 1, delivery: 1, contact: 1, workspace: 1 };

    fn reader(dir: &Path, log: &MemoryLog) -> ReadAgain {
        let sample =
            crate::config::read_workspace(Path::new("dev.toml"), include_str!("../dev.toml")).unwrap();
        let mut policies = Policies::default();
        policies.put(Arc::new(sample));
        ReadAgain(LogIntake {
            post: Post { log: Arc::new(log.clone()), topology: TOPOLOGY },
            vault: Vault::open(vault::Config::new(dir, MasterKey::from_bytes([7; 32]))).unwrap(),
            policies: watch::channel(policies).1,
            verifier: email::Verifier::offline(),
        })
    }

    #[tokio::test]
    async fn a_mail_that_can_be_read_now_is_one_message_however_often_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let topic = Topic(Kind::Conversation.intake_topic());
        let log = MemoryLog::new(&[(topic, 1)]);
        let reader = reader(dir.path(), &log);
        let raw = Bytes::from_static(b"From: ann@x.test\r\nSubject: A riddle\r\n\r\nhello\r\n");
        let inbox: InboxId = "email".parse().unwrap();
        for _ in 0..2 {
            assert_eq!(reader.read_again(&inbox, raw.clone()).await.unwrap(), 1);
        }
        let written = log.read(topic.partition(0), 0, Limit::default()).await.unwrap();
        let facts =
            written.iter().map(|record| match wire::decode_intake::<Decider>(&record.bytes).unwrap() {
                Intake::Input { origin: Origin::Fact(id), command: Command::Receive(_), .. } => id,
                other => panic!("a message is expected, not {other:?}"),
            });
        let facts: Vec<_> = facts.collect();
        assert!(matches!(facts[..], [first, again] if first == again), "{facts:?}");
    }

    #[tokio::test]
    async fn what_still_cannot_be_read_is_refused_and_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let topic = Topic(Kind::Conversation.intake_topic());
        let log = MemoryLog::new(&[(topic, 1)]);
        let reader = reader(dir.path(), &log);
        let mails = [
            ("email", "Subject: from nobody\r\n\r\nhello\r\n", "it still cannot be read: no sender"),
            ("email", "\r\n", "it still cannot be read: malformed message"),
            ("sms", "From: ann@x.test\r\n\r\nhello\r\n", "there is no mailbox sms any more"),
            ("gone", "From: ann@x.test\r\n\r\nhello\r\n", "there is no mailbox gone any more"),
        ];
        for (inbox, raw, reason) in mails {
            match reader.read_again(&inbox.parse().unwrap(), Bytes::from_static(raw.as_bytes())).await {
                Err(NotRead::Refused(why)) => assert!(why.starts_with(reason), "{why}"),
                other => panic!("{raw:?} gave {other:?}"),
            }
        }
        assert!(log.read(topic.partition(0), 0, Limit::default()).await.unwrap().is_empty());
    }
}
