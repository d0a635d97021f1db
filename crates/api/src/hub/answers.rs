//! Callers who wait for the answer to a command, found by the command's id and content.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{Answer, CommandId, ContentHash, Rejection};
use tokio::sync::oneshot;

/// What was decided, and where that stands in the log.
pub(crate) type Answered = (u64, Result<(), Rejection>);

#[derive(Clone, Default)]
pub(super) struct Answers(Arc<Mutex<Waiters>>);

#[derive(Default)]
struct Waiters {
    last: u64,
    waiting: HashMap<CommandId, Vec<Waiter>>,
}

struct Waiter {
    number: u64,
    content: ContentHash,
    tell: oneshot::Sender<Answered>,
}

/// One caller's place; dropping it gives it up.
pub(crate) struct Waiting {
    answers: Answers,
    id: CommandId,
    number: u64,
    answer: oneshot::Receiver<Answered>,
}

impl Answers {
    /// Waits from now on: begin before the command is appended.
    pub(super) fn wait(&self, id: CommandId, content: ContentHash) -> Waiting {
        let (tell, answer) = oneshot::channel();
        let mut waiters = self.lock();
        waiters.last += 1;
        let number = waiters.last;
        waiters.waiting.entry(id).or_default().push(Waiter { number, content, tell });
        Waiting { answers: self.clone(), id, number, answer }
    }

    /// Whether anybody waits for anything.
    pub(super) fn are_awaited(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    /// Tells everyone who asked this. The same id with another content is another question.
    pub(super) fn resolve(&self, position: u64, answer: &Answer) {
        let mut waiters = self.lock();
        let Some(waiting) = waiters.waiting.get_mut(&answer.command) else { return };
        for waiter in waiting.extract_if(.., |waiter| waiter.content == answer.content) {
            // A caller that gave up is not waiting.
            let _ = waiter.tell.send((position, answer.result.clone()));
        }
        if waiting.is_empty() {
            waiters.waiting.remove(&answer.command);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// The answer; none if the hub has stopped.
    pub(crate) async fn answer(&mut self) -> Option<Answered> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiters = self.answers.lock();
        if let Some(waiting) = waiters.waiting.get_mut(&self.id) {
            waiting.retain(|waiter| waiter.number != self.number);
            if waiting.is_empty() {
                waiters.waiting.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: CommandId = CommandId([1; 16]);

    fn answer(content: u8) -> Answer {
        Answer { command: ID, content: ContentHash([content; 16]), result: Ok(()) }
    }

    #[tokio::test]
    async fn everyone_who_asked_the_same_is_told_and_nobody_else() {
        let answers = Answers::default();
        let mut same = [answers.wait(ID, ContentHash([7; 16])), answers.wait(ID, ContentHash([7; 16]))];
        let mut other = answers.wait(ID, ContentHash([8; 16]));
        answers.resolve(40, &answer(7));
        for waiting in &mut same {
            assert_eq!(waiting.answer().await, Some((40, Ok(()))));
        }
        answers.resolve(41, &answer(8));
        assert_eq!(other.answer().await, Some((41, Ok(()))));
    }

    #[test]
    fn who_gives_up_leaves_nothing_behind() {
        let answers = Answers::default();
        let waiting = answers.wait(ID, ContentHash([7; 16]));
        drop(waiting);
        assert!(answers.lock().waiting.is_empty());
        answers.resolve(1, &answer(7));
    }
}
