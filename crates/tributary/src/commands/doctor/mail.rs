//! The mailboxes: whether mail comes in, whether what leaves is believed, and what to publish so that it is.

use anyhow::anyhow;
use channels::{
    Outbound,
    email::{DkimSigner, Relay, imap},
};
use domain::{InboxId, policy::Inbox};
use std::time::Duration;

use super::{dns::Names, finding::Findings};
use crate::{config::Secrets, mail};

/// For connecting to a relay, and for its login; for each step with a mailbox.
const WITHIN: Duration = Duration::from_secs(10);

/// What is published has to be true of everything that sends in the domain's name: nobody but its owner knows that.
const SPF_ADVICE: &str = "where something else sends in this domain's name, name it as well";

pub(super) async fn examine(
    names: &Names,
    secrets: &Secrets,
    id: &InboxId,
    inbox: &Inbox,
    findings: &mut Findings,
) {
    let domain = mail::domain(inbox);
    let about = |what: &str| format!("inbox {id}: {what}");
    mx(names, domain, about("MX"), findings).await;
    let host = mail::relay(secrets, inbox).ok().map(|relay| relay.host);
    spf(names, domain, host.as_deref(), about("SPF"), findings).await;
    match mail::signers(secrets, inbox) {
        Ok(signers) if signers.is_empty() => findings.warn(
            about("DKIM"),
            "our mail is not signed by us, and perhaps by nobody",
            "`openssl genrsa 2048` makes a key: put it where tributary.toml says under [secrets.TENANT], name it as \
             `dkim_key` with a `dkim_selector`, and doctor prints the record; leave it if the relay signs for this domain",
        ),
        Ok(signers) => {
            for signer in &signers {
                dkim(names, signer, about("DKIM"), findings).await;
            }
        }
        Err(error) => findings.fail(about("DKIM"), &error, "mend the key or the setting"),
    }
    dmarc(names, domain, about("DMARC"), findings).await;
    relay(secrets, inbox, about("relay"), findings).await;
    mailbox(secrets, inbox, about("IMAP"), findings).await;
}

async fn mx(names: &Names, domain: &str, about: String, findings: &mut Findings) {
    match names.mail_servers(domain).await {
        Err(error) => unasked(about, &error, findings),
        Ok(servers) if servers.is_empty() => {
            let advice = format!("publish: {domain}. MX 10 YOUR.MAIL.SERVER.");
            findings.fail(about, &anyhow!("{domain} has no MX record: answers may not arrive"), advice);
        }
        Ok(servers) if servers.iter().all(|server| server == ".") => {
            let advice = format!("publish the mail server that takes {domain}'s mail instead of `.`");
            findings.fail(about, &anyhow!("{domain} says that it takes no mail (RFC 7505)"), advice);
        }
        Ok(servers) => {
            let servers: Vec<&str> = servers.iter().map(|server| server.trim_end_matches('.')).collect();
            findings.ok(about, servers.join(", "));
        }
    }
}

async fn spf(names: &Names, domain: &str, relay: Option<&str>, about: String, findings: &mut Findings) {
    let texts = match names.texts(domain).await {
        Ok(texts) => texts,
        Err(error) => return unasked(about, &error, findings),
    };
    let is_spf =
        |text: &&String| text.split(' ').next().is_some_and(|first| first.eq_ignore_ascii_case("v=spf1"));
    let records: Vec<&String> = texts.iter().filter(is_spf).collect();
    let published = || {
        let sender = relay.map_or_else(|| "mx".to_owned(), |relay| format!("a:{relay}"));
        format!("publish: {domain}. TXT \"v=spf1 {sender} ~all\" ({SPF_ADVICE})")
    };
    match records[..] {
        [] => findings.warn(about, "no record says who sends for this domain", published()),
        [record] if record.split(' ').any(|term| matches!(term, "+all" | "all" | "?all")) => {
            let what = anyhow!("{record} lets anyone send for this domain");
            findings.fail(about, &what, "end it with `~all` or `-all`");
        }
        [record] => findings.ok(about, record),
        _ => {
            let what = anyhow!("{} records, where there may be one: all count for nothing", records.len());
            findings.fail(about, &what, "put them together in one (RFC 7208 section 4.5)");
        }
    }
}

async fn dkim(names: &Names, signer: &DkimSigner, about: String, findings: &mut Findings) {
    let name = signer.record_name();
    let texts = match names.texts(&name).await {
        Ok(texts) => texts,
        Err(error) => return unasked(about, &error, findings),
    };
    let publish = format!("publish: {name}. TXT \"{}\"", signer.record());
    let ours = public_key(&signer.record());
    match texts.iter().map(|text| public_key(text)).collect::<Vec<_>>()[..] {
        [] => findings.fail(about, &anyhow!("{name} has no record: nobody can check our signature"), publish),
        _ if texts.len() > 1 => {
            findings.fail(
                about,
                &anyhow!("{name} has {} records, where there may be one", texts.len()),
                publish,
            );
        }
        [ref key] if *key == ours => findings.ok(about, format!("{name} has our key")),
        _ => findings.fail(about, &anyhow!("{name} has another key than ours"), publish),
    }
}

/// The `p` of a key's record, without the spaces that people put in.
fn public_key(record: &str) -> String {
    let tags = record.split(';').filter_map(|tag| tag.split_once('='));
    let mut keys = tags.filter(|(name, _)| name.trim() == "p").map(|(_, key)| key);
    keys.next().unwrap_or_default().split_whitespace().collect()
}

async fn dmarc(names: &Names, domain: &str, about: String, findings: &mut Findings) {
    // The domain's own, or that of a domain it belongs to.
    let mut at = domain;
    loop {
        let texts = match names.texts(&format!("_dmarc.{at}")).await {
            Ok(texts) => texts,
            Err(error) => return unasked(about, &error, findings),
        };
        let is_dmarc = |text: &&String| text.trim_start().to_ascii_lowercase().starts_with("v=dmarc1");
        if let Some(record) = texts.iter().find(is_dmarc) {
            findings.ok(about, format!("_dmarc.{at}: {record}"));
            return;
        }
        match at.split_once('.') {
            Some((_, parent)) if parent.contains('.') => at = parent,
            _ => break,
        }
    }
    let advice = format!(
        "publish: _dmarc.{domain}. TXT \"v=DMARC1; p=none; rua=mailto:YOUR@ADDRESS\", then p=quarantine"
    );
    findings.warn(about, "no policy says what to do with mail that only claims to be ours", advice);
}

async fn relay(secrets: &Secrets, inbox: &Inbox, about: String, findings: &mut Findings) {
    let mut config = match mail::relay(secrets, inbox) {
        Ok(config) => config,
        // Its settings were told of already.
        Err(_) => return findings.skip(about, "its settings have to be mended first"),
    };
    config.timeout = WITHIN;
    let (at, tls) = (format!("{}:{}", config.host, config.port), config.tls);
    let login = if config.credentials.is_some() { ", takes our login" } else { "" };
    match Relay::new(config).try_out().await {
        Ok(()) => findings.ok(about, format!("{at} answers ({tls:?}){login}")),
        Err(error) => findings.fail(
            about,
            &anyhow!("{at}: {error}"),
            "check `relay`, `relay_tls`, `relay_user` and the secret, and whether this machine may connect there",
        ),
    }
}

/// Where its mail is read, if it is: as far as the server's first message.
async fn mailbox(secrets: &Secrets, inbox: &Inbox, about: String, findings: &mut Findings) {
    let mailbox = match mail::pulled(secrets, inbox) {
        Ok(Some(mailbox)) => mailbox,
        Ok(None) => return,
        Err(_) => return findings.skip(about, "its settings have to be mended first"),
    };
    let outbound = match Outbound::new(WITHIN) {
        Ok(outbound) => outbound,
        Err(error) => return findings.skip(about, format!("no way out of this machine: {error}")),
    };
    let (host, folder) = (mailbox.place.host.clone(), mailbox.place.folder.clone());
    match imap::look(&mailbox, outbound, WITHIN).await {
        Ok(looked) => {
            let count = looked.validity;
            let found = format!(
                "{host} takes our login and opens {folder} (UIDVALIDITY {count}, last UID {})",
                looked.last
            );
            if looked.can_idle {
                findings.ok(about, format!("{found}; it tells of new mail at once (IDLE)"));
            } else {
                findings.warn(about, format!("{found}; it has no IDLE"), "nothing: it is asked every minute");
            }
        }
        Err(error) => {
            let advice = match error {
                imap::Error::Refused(_) | imap::Error::Token(_) => {
                    "check `imap_user` and the secret; some providers want a password for this program alone, or OAuth2"
                }
                imap::Error::Tls(_) | imap::Error::Name(_) => {
                    "check `imap_tls` (`tls` on port 993, `starttls` on 143) and the server's certificate"
                }
                imap::Error::Answer { .. } => "check `imap_folder`: its name as the server has it",
                _ => "check `imap` and `imap_tls`, and whether this machine may connect there",
            };
            findings.fail(about, &anyhow::Error::new(error).context(host), advice);
        }
    }
}

fn unasked(about: String, error: &anyhow::Error, findings: &mut Findings) {
    findings.warn(
        about,
        format!("{error:#}"),
        "check the name servers of this machine, or `dns` in tributary.toml",
    );
}

#[cfg(test)]
mod tests;
