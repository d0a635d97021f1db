//! What the world saw, beside what counts in the topics.

use std::collections::{BTreeMap, BTreeSet};

use wire::api::v1::{self as pb, event::Kind};

use super::{Judged, Violations, events, rule::Ruled, short};
use crate::{
    outbox::Attempt,
    records::{Event, KINDS, Peer, What},
};

/// Where an event stands: its partition, and its decision's place there.
type Place = (Peer, u64);

impl Judged {
    /// 6 and 10: a subscriber is told what counts, all of it, and nothing of what does not. 11: nothing was sent before
    /// the attempt was announced in the log.
    pub(crate) fn outside(&self, told: &[pb::Event], attempts: &[Attempt]) -> Violations {
        let mut violations = Violations::new();
        self.told(told, &mut violations);
        self.attempted(attempts, &mut violations);
        violations
    }

    fn told(&self, told: &[pb::Event], violations: &mut Violations) {
        let offsets = |(peer, ruled): (&Peer, &Ruled)| {
            let peer = *peer;
            ruled.decided.iter().map(move |decided| (peer, decided.offset)).collect::<Vec<_>>()
        };
        let counting: BTreeSet<Place> = self.ruled.iter().flat_map(offsets).collect();
        let mut places = BTreeSet::new();
        let mut spoken: BTreeMap<Place, usize> = BTreeMap::new();
        for event in told {
            let Some(place) = place(&event.id) else {
                violations.push(format!("6: {:?} is no place in the log", event.id));
                continue;
            };
            places.insert(place);
            let speaks = matches!(
                &event.kind,
                Some(Kind::MessageReceived(_) | Kind::BotReplied(_) | Kind::Replied(_))
            );
            *spoken.entry(place).or_default() += usize::from(speaks);
        }
        let made_up = places.difference(&counting);
        violations.extend(
            made_up.map(|(peer, at)| {
                format!("6: a subscriber was told of {peer} at {at}, which does not count")
            }),
        );
        for (&peer, ruled) in self.ruled.iter().filter(|(peer, _)| peer.kind == KINDS[0].0) {
            for decided in &ruled.decided {
                let said = events(&decided.decision).filter(|event| speaks(event)).count();
                let heard = spoken.get(&(peer, decided.offset)).copied().unwrap_or(0);
                if said != heard {
                    violations.push(format!(
                        "10: {peer}, at {}: {said} messages, of which a subscriber was told {heard}",
                        decided.offset
                    ));
                }
            }
        }
    }

    fn attempted(&self, attempts: &[Attempt], violations: &mut Violations) {
        let announced: BTreeMap<String, &Vec<i64>> = self
            .deliveries
            .values()
            .flat_map(|deliveries| &deliveries.known)
            .map(|(message, known)| (short(message), &known.announced))
            .collect();
        let mut made: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for attempt in attempts {
            made.entry(&attempt.idempotency_key).or_default().push(attempt.at.as_millisecond());
        }
        for (key, mut times) in made {
            times.sort_unstable();
            let Some(announced) = announced.get(key) else {
                violations.push(format!("11: {key} was sent, and nobody announced it"));
                continue;
            };
            let too_early =
                times.iter().enumerate().find(|(at, time)| announced.get(*at).is_none_or(|when| when > time));
            if let Some((at, _)) = too_early {
                violations.push(format!(
                    "11: {key}: attempt {} was made before it was announced: {times:?}, {announced:?}",
                    at + 1
                ));
            }
        }
    }
}

fn speaks(event: &Event) -> bool {
    let Event::Conversation(event) = event else { return false };
    let what = event.what.as_ref().and_then(|what| what.kind.as_ref());
    matches!(what, Some(What::MessageReceived(_) | What::BotReplied(_) | What::Replied(_)))
}

/// Of an id as subscribers see it: AGGREGATE/PARTITION/POSITION/INDEX.
fn place(id: &str) -> Option<Place> {
    let mut parts = id.split('/');
    let name = parts.next()?;
    let (kind, _) = KINDS.iter().find(|(_, known)| *known == name)?;
    let partition = parts.next()?.parse().ok()?;
    Some((Peer { kind: *kind, partition }, parts.next()?.parse().ok()?))
}
