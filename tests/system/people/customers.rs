//! Customers of one channel, and the provider that delivers what they write.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::Random;
use crate::clients::{Answer, Channel, Message, Providers};

/// A bound, so that long runs stay countable.
const MOST_MESSAGES: u64 = 2_000;

/// Writes until `stop`, with pauses of so many milliseconds; the texts of what was taken go to `taken`.
pub(crate) async fn write(
    (channel, line): (Channel, usize),
    pauses: (u64, u64),
    providers: Providers,
    mut random: Random,
    taken: Arc<Mutex<BTreeSet<String>>>,
    stop: CancellationToken,
) {
    let mut customers = 0;
    let mut messages: Vec<Message> = Vec::new();
    for number in 0..MOST_MESSAGES {
        if stop.is_cancelled() {
            break;
        }
        // A customer begins with small talk, so that each conversation begins with a greeting.
        let name = format!("{}{line}x{number}", channel.inbox());
        let (customer, text) = if customers == 0 || random.percent(20) {
            customers += 1;
            (customers - 1, format!("hello {name}"))
        } else {
            let phrase = match random.between(0, 9) {
                0..3 => "I want a person",
                3 => "What are your opening hours?",
                _ => "by the way",
            };
            (random.between(0, customers - 1), format!("{phrase} {name}"))
        };
        let from = channel.customer(line * 1_000 + customer as usize);
        let message = Message::new(channel, format!("{name}@example.org"), &from, text);
        deliver(&providers, &message, &mut random).await;
        taken.lock().unwrap().insert(message.text.clone());
        messages.push(message);
        if random.percent(15) {
            // Providers repeat what they were told is taken, too.
            let again = random.between(0, messages.len() as u64 - 1) as usize;
            providers.deliver(&messages[again]).await;
        }
        tokio::time::sleep(Duration::from_millis(random.between(pauses.0, pauses.1))).await;
    }
}

/// Delivers until it is taken; at times on two connections at once.
async fn deliver(providers: &Providers, message: &Message, random: &mut Random) {
    if random.percent(10) {
        let answers = tokio::join!(providers.deliver(message), providers.deliver(message));
        if answers.0 == Answer::Taken || answers.1 == Answer::Taken {
            return;
        }
    }
    providers.deliver_until_taken(message).await;
}
