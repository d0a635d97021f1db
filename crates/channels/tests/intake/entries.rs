//! Links that customers come in by, and the tokens in them: what reaches the log of each, and what does not.

use channels::Referral;
use domain::{
    ContactId, MessageId, TenantId, Timestamp, TokenId,
    conversation::{Entry, ShownToken, Token},
    policy::{LONGEST_REFERENCE, Link},
};
use proptest::prelude::*;
use wire::LinkToken;

use super::*;

fn world_with_links() -> World {
    let link = |inbox: &str, reference: Option<&str>, text: Option<&str>| Link {
        inbox: inbox.parse().unwrap(),
        reference: reference.map(Into::into),
        campaign: None,
        queue: None,
        bot: None,
        people_only: false,
        first_message: None,
        text: text.map(Into::into),
        tags: vec![],
    };
    let mut policy = policy();
    let whatsapp = domain::policy::Inbox {
        channel: Channel::Whatsapp,
        ..policy.inboxes[&"page".parse().unwrap()].clone()
    };
    policy.inboxes.insert("whatsapp".parse().unwrap(), whatsapp);
    policy.links = [
        ("summer".parse().unwrap(), link("page", Some("summer-26"), None)),
        ("other".parse().unwrap(), link("elsewhere", Some("other"), None)),
        ("poster".parse().unwrap(), link("whatsapp", None, Some("I come from the poster"))),
    ]
    .into();
    world_of(policy)
}

fn referral(reference: &str) -> Fact {
    let said = Referral { reference: Some(reference.into()), ..Referral::default() };
    let page = Fact::new(FactKind::Referral, Channel::Messenger, "page", "ann");
    Fact { external_id: Some(reference.into()), referral: Some(said), ..page }
}

fn token(about: &str) -> LinkToken {
    let (id, contact) = (TokenId([5; 16]), ContactId([6; 16]));
    LinkToken { id, contact, expires_at: Timestamp(2_000_000_000_000), about: about.into() }
}

fn written(world: &World, tenant: &str, token: &LinkToken) -> String {
    let tenant: TenantId = tenant.parse().unwrap();
    format!("tk1-{}", world.vault.reference(&LinkToken::purpose(&tenant), &token.encode()))
}

impl World {
    /// The entry that a fact is, and what is kept of its content.
    async fn entry_of(&self, inbox: &str, fact: Fact) -> (Option<Entry>, domain::Content) {
        self.intake.accept(inbox, vec![fact], None).await.unwrap();
        let (_, input) = self.inputs().await.pop().unwrap();
        let Intake::Input { command, .. } = input else { panic!("no input") };
        let (party, item, content, entry) = match command {
            Command::Receive(it) => (it.from.party, it.message, it.content, it.entry),
            Command::Note { from, message, content, entry, .. } => {
                (from.party, message, content.unwrap(), entry)
            }
            other => panic!("{other:?}"),
        };
        let content = self.open(party, item.0, &content.bytes).await;
        (entry.map(|entry| *entry), wire::decode_content(&content).unwrap())
    }

    async fn shown(&self, reference: &str) -> Option<ShownToken> {
        self.entry_of("page", referral(reference)).await.0?.token
    }
}

#[tokio::test]
async fn a_reference_of_the_workspace_is_known_and_any_other_only_kept() {
    let world = world_with_links();
    let (entry, content) = world.entry_of("page", referral("summer-26")).await;
    assert_eq!(entry, Some(Entry { link: Some("summer".parse().unwrap()), token: None }));
    assert_eq!(content.payload.as_deref(), Some("summer-26"));
    for unknown in ["summer", "SUMMER-26", "other", "poster", "x@example.org"] {
        let world = world_with_links();
        let (entry, content) = world.entry_of("page", referral(unknown)).await;
        assert_eq!((entry, content.payload.as_deref()), (None, Some(unknown)));
    }
    // Where another application has the conversation we only listen.
    let world = world_with_links();
    let (entry, _) = world.entry_of("page", Fact { standby: true, ..referral("summer-26") }).await;
    assert_eq!(entry, None);
}

#[tokio::test]
async fn on_whatsapp_the_text_tells() {
    let world = world_with_links();
    let says = |text: &str| Fact {
        external_id: Some(text.into()),
        text: Some(text.into()),
        ..Fact::new(FactKind::Message, Channel::Whatsapp, "whatsapp", "ann")
    };
    let written = written(&world, "acme", &token(""));
    let (entry, content) =
        world.entry_of("whatsapp", says(&format!(" I come from the poster {written}"))).await;
    let entry = entry.unwrap();
    assert_eq!(entry.link, Some("poster".parse().unwrap()));
    assert!(matches!(entry.token, Some(ShownToken::Ours(_))));
    assert_eq!(content.text, "I come from the poster", "a token is not kept");
    let world = world_with_links();
    assert_eq!(world.entry_of("whatsapp", says("I come from the pub")).await.0, None);
}

#[tokio::test]
async fn a_token_says_who_comes_and_about_what_and_is_not_kept() {
    let world = world_with_links();
    let written = written(&world, "acme", &token("order 4711"));
    let reference = format!("summer-26.{written}");
    assert!(reference.len() <= LONGEST_REFERENCE);
    let (entry, content) = world.entry_of("page", referral(&reference)).await;
    assert_eq!(content.payload.as_deref(), Some("summer-26"));
    let Entry { link, token: Some(ShownToken::Ours(shown)) } = entry.unwrap() else { panic!("a token") };
    assert_eq!(link, Some("summer".parse().unwrap()));
    let Token { id, contact, expires_at, message, about } = *shown;
    assert_eq!((id, contact, expires_at), (token("").id, token("").contact, token("").expires_at));
    assert_ne!(message, MessageId::default());
    let about = about.unwrap();
    assert_eq!(about.subject, world.party("page", "ann"));
    let about = world.open(about.subject, message.0, &about.bytes).await;
    assert_eq!(wire::decode_content(&about).unwrap().text, "order 4711");
    for number in 0..TOPOLOGY.conversation {
        let partition = Topic(Kind::Conversation.intake_topic()).partition(number);
        for record in world.log.read(partition, 0, ALL).await.unwrap() {
            for plain in [&b"4711"[..], &written.as_bytes()[4..24]] {
                assert!(!record.bytes.windows(plain.len()).any(|window| window == plain));
            }
        }
    }
}

#[tokio::test]
async fn another_tenants_token_is_nobodys_here() {
    let world = world_with_links();
    let foreign = written(&world, "globex", &token("order 4711"));
    assert_eq!(world.shown(&foreign).await, Some(ShownToken::Unknown));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// However a token is altered, it is nobody's: a letter changed, left out, put in, or the end cut off.
    #[test]
    fn an_altered_token_is_nobodys(at in any::<prop::sample::Index>(), letter in "[0-9a-v]", how in 0..4u8) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = world_with_links();
            let whole = written(&world, "acme", &token("order 4711"));
            let at = 4 + at.index(whole.len() - 4);
            let altered = match how {
                0 => format!("{}{letter}{}", &whole[..at], &whole[at + 1..]),
                1 => format!("{}{}", &whole[..at], &whole[at + 1..]),
                2 => format!("{}{letter}{}", &whole[..at], &whole[at..]),
                _ => whole[..at].to_owned(),
            };
            let expected = match altered == whole {
                true => matches!(world.shown(&altered).await, Some(ShownToken::Ours(_))),
                false => world.shown(&altered).await == Some(ShownToken::Unknown),
            };
            assert!(expected, "{whole} became {altered}");
        });
    }
}
