//! By which link a customer came.

use domain::{
    Content, MessageId, Party,
    conversation::{Entry, ShownToken, Token},
};
use wire::LinkToken;

use super::{LogIntake, Place};
use crate::{
    Fact, Refused,
    entry::{self, Way},
};

impl LogIntake {
    /// By which link the customer came, and with what in it. A token is for once: it stays out of what is kept.
    pub(super) async fn entry(
        &self,
        place: &Place,
        party: Party,
        message: MessageId,
        fact: &mut Fact,
    ) -> Result<Option<Box<Entry>>, Refused> {
        let Some(Way { link, token }) = entry::way(&place.policy, &place.id, fact) else { return Ok(None) };
        let token = match token {
            None => None,
            Some(text) => Some(self.shown(place, party, message, &text).await?),
        };
        Ok(Some(Box::new(Entry { link, token })))
    }

    async fn shown(
        &self,
        place: &Place,
        party: Party,
        message: MessageId,
        text: &str,
    ) -> Result<ShownToken, Refused> {
        let read = self.vault.read_reference(&LinkToken::purpose(&place.tenant), text);
        let Some(LinkToken { id, contact, expires_at, about }) =
            read.and_then(|bytes| LinkToken::decode(&bytes))
        else {
            return Ok(ShownToken::Unknown);
        };
        // An item of its own, beside what was said.
        let item = MessageId(self.vault.fact(place.id.as_str(), "token", &message.0));
        let about = match about.is_empty() {
            true => None,
            false => {
                let content = wire::encode_content(&Content { text: about, ..Content::default() });
                Some(self.seal(place, party, item, &content).await?)
            }
        };
        Ok(ShownToken::Ours(Box::new(Token { id, contact, expires_at, message: item, about })))
    }
}
