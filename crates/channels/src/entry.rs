//! By which of the business's links a customer came. Messenger and Instagram say so with the link's reference; on WhatsApp
//! the text that the link put into the customer's hands is all there is.

use domain::{Channel, InboxId, LinkId, Policy, policy::TOKEN_MARK};
use wire::LinkToken;

use crate::{Fact, FactKind};

pub(crate) struct Way {
    pub(crate) link: Option<LinkId>,
    /// What stands where a token does, without its mark.
    pub(crate) token: Option<String>,
}

/// None for who came by no link of ours. What the fact says of it keeps the link's own reference; a token is taken out.
pub(crate) fn way(policy: &Policy, inbox: &InboxId, fact: &mut Fact) -> Option<Way> {
    let by_customer = matches!(fact.kind, FactKind::Message | FactKind::Postback | FactKind::Referral);
    if fact.standby || !by_customer {
        return None;
    }
    let (link, token) = match (fact.referral.as_ref().and_then(|it| it.reference.clone()), fact.channel) {
        (Some(reference), _) => {
            let (own, token) = LinkToken::split(&reference);
            let link = own.and_then(|own| policy.link_by_reference(inbox, own)).cloned();
            if let Some(referral) = fact.referral.as_mut().filter(|_| token.is_some()) {
                referral.reference = own.map(str::to_owned);
            }
            (link, token.map(str::to_owned))
        }
        (None, Channel::Whatsapp) if fact.kind == FactKind::Message => {
            let text = fact.text.as_deref()?;
            let token = text.split_whitespace().find_map(|word| word.strip_prefix(TOKEN_MARK));
            let token = token.map(str::to_owned);
            if let Some(token) = &token {
                let without = text.replace(&format!("{TOKEN_MARK}{token}"), "");
                fact.text = Some(without.trim().to_owned());
            }
            (policy.link_by_text(inbox, fact.text.as_deref()?).cloned(), token)
        }
        (None, _) => return None,
    };
    (link.is_some() || token.is_some()).then_some(Way { link, token })
}
