//! The topics, as the log's promises need them: made on request, held against what a cluster has, never made by accident.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use log::{Error, Topic};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    config::FromClientConfigAndContext as _,
    consumer::{BaseConsumer, Consumer as _},
    error::RDKafkaErrorCode,
    metadata::MetadataTopic,
};

use crate::{
    KafkaConfig,
    client::{Told, blocking, failed, is_refused_since, unusable},
    config::MAX_MESSAGE,
};

/// How many copies of every partition there should be, where there are as many brokers.
const COPIES: usize = 3;
/// Between two looks at why the cluster does not answer.
const TRY: Duration = Duration::from_secs(1);

/// A topic as it should be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub topic: Topic,
    pub partitions: u32,
    /// Copies of every partition; `None`: three, or as many as there are brokers.
    pub copies: Option<u16>,
}

impl Wanted {
    fn copies(&self, brokers: usize) -> usize {
        self.copies.map_or(COPIES.min(brokers), usize::from).max(1)
    }
}

/// What became of a topic that should be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Made {
    New,
    /// It was there before; [`check`] says whether it is as it should be.
    There,
}

/// Something about a topic that is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What the topic is called in the cluster.
    pub topic: String,
    pub what: String,
    pub is: String,
    pub should_be: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { topic, what, is, should_be } = self;
        write!(f, "{topic}: {what} is {is}, and should be {should_be}")
    }
}

/// The settings of a topic that the log rests on, and what each must be. Of each copy that is in step, all but one may
/// be lost, with three; nothing is removed but by a trim; the brokers' clock stamps the records.
fn settings(copies: usize) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("cleanup.policy", "delete".to_owned()),
        ("max.message.bytes", MAX_MESSAGE.to_string()),
        ("message.timestamp.type", "LogAppendTime".to_owned()),
        ("min.insync.replicas", copies.saturating_sub(1).max(1).to_string()),
        ("retention.bytes", "-1".to_owned()),
        ("retention.ms", "-1".to_owned()),
        ("unclean.leader.election.enable", "false".to_owned()),
    ])
}

/// Whether more than what is asked is as good.
fn may_be_more(setting: &str) -> bool {
    matches!(setting, "max.message.bytes" | "min.insync.replicas")
}

/// Makes the topics that are not there. What is there stays as it is.
pub async fn create(config: &KafkaConfig, wanted: &[Wanted]) -> Result<Vec<Made>, Error> {
    let admin = admin(config)?;
    let brokers = look(config).await?.brokers;
    let names: Vec<_> = wanted.iter().map(|wanted| config.name(wanted.topic.0)).collect();
    let settings: Vec<_> = wanted.iter().map(|wanted| settings(wanted.copies(brokers))).collect();
    let new = wanted.iter().zip(&names).zip(&settings).map(|((wanted, name), settings)| {
        let partitions = i32::try_from(wanted.partitions).unwrap_or(i32::MAX);
        let copies = i32::try_from(wanted.copies(brokers)).unwrap_or(i32::MAX);
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(copies));
        settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
    });
    let new: Vec<_> = new.collect();
    let made = admin.create_topics(&new, &options(config)).await.map_err(failed("create topics"))?;
    let outcome = |made| match made {
        Ok(_) => Ok(Made::New),
        Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => Ok(Made::There),
        Err((name, code)) => {
            Err(Error::Storage { operation: "create a topic", source: format!("{name}: {code}").into() })
        }
    };
    let made = made.into_iter().map(outcome).collect::<Result<_, _>>()?;
    // They are made, and brokers hear of it a moment later.
    let began = Instant::now();
    while began.elapsed() < config.patience {
        let seen = look(config).await?;
        if names.iter().all(|name| seen.topics.contains_key(name)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(made)
}

/// What about the topics is not as it should be. Empty: all is well.
pub async fn check(config: &KafkaConfig, wanted: &[Wanted]) -> Result<Vec<Finding>, Error> {
    let admin = admin(config)?;
    let seen = look(config).await?;
    let mut findings = Vec::new();
    for wanted in wanted {
        let name = config.name(wanted.topic.0);
        let find = |what: &str, is: &str, should_be: &str| Finding {
            topic: name.clone(),
            what: what.to_owned(),
            is: is.to_owned(),
            should_be: should_be.to_owned(),
        };
        let Some(&(partitions, fewest)) = seen.topics.get(&name) else {
            findings.push(find("the topic", "not there", "created by `tributary topics create`"));
            continue;
        };
        let copies = wanted.copies(seen.brokers);
        if partitions != wanted.partitions {
            let (is, should_be) = (partitions.to_string(), wanted.partitions.to_string());
            findings.push(find("the number of partitions, which is fixed,", &is, &should_be));
        }
        if fewest < copies {
            findings.push(find("the replication factor", &fewest.to_string(), &copies.to_string()));
        }
        let described = admin.describe_configs(&[ResourceSpecifier::Topic(&name)], &options(config)).await;
        let described = described.map_err(failed("read the settings of a topic"))?;
        let described =
            described.into_iter().next().unwrap_or(Err(RDKafkaErrorCode::UnknownTopicOrPartition));
        let described = described.map_err(|code| Error::Storage {
            operation: "read the settings of a topic",
            source: format!("{name}: {code}").into(),
        })?;
        for (key, should_be) in settings(copies) {
            let is = described.get(key).and_then(|entry| entry.value.clone()).unwrap_or_default();
            let enough = may_be_more(key)
                && is.parse::<i64>().ok().zip(should_be.parse().ok()).is_some_and(|(is, least)| is >= least);
            if is != should_be && !enough {
                findings.push(find(key, &is, &should_be));
            }
        }
    }
    Ok(findings)
}

/// How many partitions each topic has; [`Error::NoTopic`] for one that is not there. Blocks.
pub fn partitions(config: &KafkaConfig, topics: &[Topic]) -> Result<Vec<(Topic, u32)>, Error> {
    let seen = Seen::by(config)?;
    let count = |&topic: &Topic| {
        let found = seen.topics.get(&config.name(topic.0));
        found.map(|(partitions, _)| (topic, *partitions)).ok_or(Error::NoTopic(topic))
    };
    topics.iter().map(count).collect()
}

fn admin(config: &KafkaConfig) -> Result<AdminClient<Told>, Error> {
    let native = config.admin().map_err(unusable)?;
    AdminClient::from_config_and_context(&native, Told("admin")).map_err(failed("open a client"))
}

fn options(config: &KafkaConfig) -> AdminOptions {
    AdminOptions::new().request_timeout(Some(config.patience)).operation_timeout(Some(config.patience))
}

/// What there is in a cluster.
struct Seen {
    brokers: usize,
    /// How many partitions each topic has, and the fewest copies that any of them has.
    topics: BTreeMap<String, (u32, usize)>,
}

impl Seen {
    /// Blocks until the cluster has answered, for as long as it may take; not so long where it does not let us in.
    fn by(config: &KafkaConfig) -> Result<Self, Error> {
        let began = Instant::now();
        // Unlike a client for administration, one that reads is told what librdkafka has to say.
        let client =
            BaseConsumer::from_config_and_context(&config.admin().map_err(unusable)?, Told("topics"));
        let client = client.map_err(failed("open a client"))?;
        let metadata = loop {
            let asked = client.fetch_metadata(None, TRY.min(config.patience));
            while client.poll(Duration::ZERO).is_some() {}
            match asked {
                Err(_) if began.elapsed() < config.patience && !is_refused_since(began) => {}
                asked => break asked.map_err(failed("ask Kafka for its topics"))?,
            }
        };
        let shape = |topic: &MetadataTopic| {
            let fewest = topic.partitions().iter().map(|partition| partition.replicas().len()).min()?;
            Some((topic.name().to_owned(), (u32::try_from(topic.partitions().len()).ok()?, fewest)))
        };
        let topics = metadata.topics().iter().filter(|topic| topic.error().is_none()).filter_map(shape);
        Ok(Seen { brokers: metadata.brokers().len(), topics: topics.collect() })
    }
}

async fn look(config: &KafkaConfig) -> Result<Seen, Error> {
    let config = config.clone();
    blocking(move || Seen::by(&config)).await
}
