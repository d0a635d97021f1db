//! Whether the platform still takes our token and still sends us webhooks, asked of a platform that does not always.

use channels::{
    Outbound,
    messenger::{
        Kind,
        health::{Checked, Health, Trouble, examine},
    },
};
use std::time::Duration;

use super::fake::{Fake, Plays, Settings, client};

const DAY: i64 = 24 * 60 * 60 * 1_000;

fn checked(fake: &Fake, settings: &Settings) -> Checked {
    Checked {
        kind: match settings.plays {
            Plays::Messenger => Kind::Messenger,
            Plays::Instagram => Kind::Instagram,
            Plays::Whatsapp => Kind::Whatsapp,
        },
        base_url: fake.url.clone(),
        version: "v23.0".into(),
        subscriber: Some(settings.page.clone()),
        token: settings.token.clone(),
        app_secret: settings.app_secret.clone(),
        app_id: Some(settings.app_id.clone()),
    }
}

async fn look(checked: &Checked, now: i64) -> Health {
    examine(checked, &Outbound::new(Duration::from_secs(30)).unwrap(), now).await
}

fn abouts(health: &Health) -> Vec<&'static str> {
    health.troubles.iter().map(Trouble::about).collect()
}

/// A call that only somebody with an app's rights makes.
async fn call(fake: &Fake, method: &str, path: &str, settings: &Settings, query: &str) {
    let url = format!("{}/v23.0/{path}?access_token={}{query}", fake.url, settings.token);
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    client().request(method, url).send().await.unwrap().error_for_status().unwrap();
}

#[tokio::test]
async fn all_is_well_and_what_is_not_told_is_named() {
    for plays in [Plays::Messenger, Plays::Instagram, Plays::Whatsapp] {
        let settings = Settings::of(plays);
        let fake = Fake::start(settings.clone()).await;
        let checked = checked(&fake, &settings);
        let health = look(&checked, fake.now()).await;
        assert!(!health.troubles.iter().any(Trouble::is_grave), "{plays:?}: {health:?}");
        match plays {
            Plays::Messenger => assert_eq!(
                health.troubles,
                [Trouble::Unsubscribed("messaging_referrals, message_echoes".into())]
            ),
            Plays::Instagram => assert_eq!(abouts(&health), ["fields"]),
            Plays::Whatsapp => assert_eq!(health.troubles, []),
        }
        // Its access to data ends in ninety days.
        let left = health.expires_at.unwrap() - fake.now();
        assert!((89 * DAY..=90 * DAY).contains(&left), "{left}");
        let later = look(&checked, fake.now() + 85 * DAY).await;
        assert_eq!(abouts(&later)[0], "expiry", "{later:?}");
    }
}

#[tokio::test]
async fn a_token_that_was_revoked_is_told_and_one_that_is_back_again() {
    let settings = Settings::of(Plays::Messenger);
    let fake = Fake::start(settings.clone()).await;
    let checked = checked(&fake, &settings);
    fake.revokes(true);
    let health = look(&checked, fake.now()).await;
    assert_eq!(health.troubles, [Trouble::Token("The session was invalidated.".into())]);
    fake.revokes(false);
    assert!(!look(&checked, fake.now()).await.troubles.iter().any(Trouble::is_grave));
}

#[tokio::test]
async fn a_subscription_that_was_switched_off_is_told() {
    let settings = Settings { wants_proof: false, ..Settings::of(Plays::Messenger) };
    let fake = Fake::start(settings.clone()).await;
    let checked = checked(&fake, &settings);
    let subscribed = format!("{}/subscribed_apps", settings.page);
    call(&fake, "DELETE", &subscribed, &settings, "").await;
    let health = look(&checked, fake.now()).await;
    assert_eq!(abouts(&health), ["webhooks"], "{health:?}");
    call(&fake, "POST", &subscribed, &settings, "&subscribed_fields=messages").await;
    let health = look(&checked, fake.now()).await;
    assert_eq!(abouts(&health), ["webhooks", "fields"], "{health:?}");
    assert!(health.troubles[0].to_string().contains("messaging_postbacks"), "{health:?}");
    let all =
        "messages,messaging_postbacks,message_deliveries,message_reads,messaging_referrals,message_echoes";
    call(&fake, "POST", &subscribed, &settings, &format!("&subscribed_fields={all}")).await;
    assert_eq!(look(&checked, fake.now()).await.troubles, []);
}

#[tokio::test]
async fn a_wrong_secret_and_nobody_there() {
    let settings = Settings::of(Plays::Messenger);
    let fake = Fake::start(settings.clone()).await;
    let right = checked(&fake, &settings);
    let wrong = Checked { app_secret: "another".into(), ..right.clone() };
    assert_eq!(abouts(&look(&wrong, fake.now()).await), ["secret"]);
    // Without the app's id the token is asked, with the proof that we have the secret.
    let proof = Checked { app_id: None, ..wrong };
    assert_eq!(abouts(&look(&proof, fake.now()).await), ["secret"]);
    // A port that nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = Checked { base_url: format!("http://{free}"), ..right };
    let health = look(&nobody, 0).await;
    assert_eq!(abouts(&health), ["reach"]);
    let told = format!("{health:?}");
    assert!(!told.contains(&settings.token) && !told.contains(&settings.app_secret), "{told}");
}
