//! What an inbox of e-mail says of how its mail comes and leaves: the settings of the workspace, as the channels want them. Both who
//! sends and `doctor` read them here.

use anyhow::{Context as _, anyhow, bail, ensure};
use channels::email::{DkimSigner, Letterhead, Manners, RelayConfig, RelayTls, SignWith, Template, imap};
use domain::policy::Inbox;

use crate::config::{Secrets, secret, setting};

const QUOTE_INTRO: &str = "On {date}, {address} wrote:";

/// The domain of a mailbox.
pub fn domain(inbox: &Inbox) -> &str {
    inbox.address.rsplit_once('@').map_or("localhost", |(_, domain)| domain)
}

pub fn relay(secrets: &Secrets, inbox: &Inbox) -> anyhow::Result<RelayConfig> {
    let relay =
        setting(inbox, "relay").ok_or_else(|| anyhow!("the setting `relay` (HOST:PORT) is missing"))?;
    let (host, port) = relay.rsplit_once(':').ok_or_else(|| anyhow!("`relay` is HOST:PORT"))?;
    let mut config = RelayConfig::new(host, port.parse().context("the port of `relay`")?, domain(inbox));
    config.tls = match setting(inbox, "relay_tls").as_deref() {
        None | Some("starttls") => RelayTls::Required,
        Some("if_offered") => RelayTls::IfOffered,
        Some("tls") => RelayTls::Implicit,
        Some("none") => RelayTls::None,
        Some(other) => bail!("relay_tls = {other:?}: it is `starttls`, `if_offered`, `tls` or `none`"),
    };
    if let Some(user) = setting(inbox, "relay_user") {
        config.credentials = Some((user, secret(secrets, inbox, "relay_password")?));
    }
    if let Some(most) = number(inbox, "relay_connections")? {
        config.max_connections = usize::try_from(most)?;
        config.max_idle = config.max_idle.min(config.max_connections);
    }
    Ok(config)
}

/// Where its mail is read from, if it is read by IMAP.
pub fn pulled(secrets: &Secrets, inbox: &Inbox) -> anyhow::Result<Option<imap::Mailbox>> {
    let Some(place) = imap::Place::read(&inbox.settings)? else { return Ok(None) };
    let optional = |key: &str| setting(inbox, key).map(|_| secret(secrets, inbox, key)).transpose();
    let access = if let Some(token_url) = setting(inbox, "imap_token_url") {
        imap::Access::OAuth2(imap::OAuth2 {
            token_url,
            client_id: setting(inbox, "imap_client_id").unwrap_or_default(),
            client_secret: optional("imap_client_secret")?,
            refresh_token: optional("imap_refresh_token")?,
            scope: setting(inbox, "imap_scope"),
        })
    } else if let Some(token) = optional("imap_token")? {
        imap::Access::Token(token)
    } else {
        imap::Access::Password(secret(secrets, inbox, "imap_password")?)
    };
    Ok(Some(imap::Mailbox { place, access, roots: None }))
}

pub fn manners(inbox: &Inbox) -> anyhow::Result<Manners> {
    Ok(Manners {
        per_minute: number(inbox, "per_minute")?,
        returns_automatic: match setting(inbox, "automatic_return_path").as_deref() {
            None | Some("none") => false,
            Some("mailbox") => true,
            Some(other) => bail!("automatic_return_path = {other:?}: it is `none` or `mailbox`"),
        },
        resends_unknown: match setting(inbox, "unknown_outcome").as_deref() {
            None | Some("hold") => false,
            Some("resend") => true,
            Some(other) => bail!("unknown_outcome = {other:?}: it is `hold` or `resend`"),
        },
    })
}

pub fn letterhead(secrets: &Secrets, inbox: &Inbox, public_url: &str) -> anyhow::Result<Letterhead> {
    let template = match inbox.settings.contains_key("template") {
        true => Template::parse(&secret(secrets, inbox, "template")?).context("the setting `template`")?,
        false => Template::default(),
    };
    let sign_with = match setting(inbox, "sign_with").as_deref() {
        None | Some("name") => SignWith::Name,
        Some("initials") => SignWith::Initials,
        Some("nothing") => SignWith::Nothing,
        Some(other) => bail!("sign_with = {other:?}: it is `name`, `initials` or `nothing`"),
    };
    let quote_intro = setting(inbox, "quote_intro").unwrap_or_else(|| QUOTE_INTRO.into());
    Ok(Letterhead {
        template,
        sign_with,
        quote_intro: Some(quote_intro).filter(|intro| !intro.is_empty()),
        dkim: signers(secrets, inbox)?,
        public_url: Some(public_url.trim_end_matches('/').to_owned()).filter(|url| !url.is_empty()),
    })
}

/// Two keys at most: one of each kind, or one that takes the place of the other.
pub fn signers(secrets: &Secrets, inbox: &Inbox) -> anyhow::Result<Vec<DkimSigner>> {
    let mut signers = Vec::new();
    for (selector, key) in [("dkim_selector", "dkim_key"), ("dkim_selector_2", "dkim_key_2")] {
        let named = (setting(inbox, selector), inbox.settings.contains_key(key));
        match named {
            (Some(name), true) => {
                let pem = secret(secrets, inbox, key)?;
                let signer = DkimSigner::new(domain(inbox), &name, &pem);
                signers.push(signer.with_context(|| format!("the setting `{key}`"))?);
            }
            (None, false) => {}
            _ => bail!("`{selector}` and `{key}` go together"),
        }
    }
    Ok(signers)
}

fn number(inbox: &Inbox, key: &str) -> anyhow::Result<Option<u32>> {
    let Some(text) = setting(inbox, key) else { return Ok(None) };
    let number: u32 = text.parse().with_context(|| format!("{key} = {text:?}: it is a number"))?;
    ensure!(number > 0, "{key} = 0: nothing would ever be sent");
    Ok(Some(number))
}
