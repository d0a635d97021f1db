//! `tributary contacts`: the owned list.

use std::io::{self, Write};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use domain::{ContactId, TenantId, Timestamp};
use projections::ContactRow;
use serde::Serialize;
use vault::{Opened, Subject, Vault};

use super::installation::policies;
use crate::{
    args::Source,
    exit::{self, Unusable},
};

/// Contacts read at once.
const PAGE: usize = 500;

const EXAMPLES: &str = "\
Examples:
  tributary contacts export -c tributary.toml > contacts.csv
  tributary contacts export --data data --format jsonl --tenant dev

Exit codes: 0 done, 1 failed, 2 usage or configuration.";

/// Works with the owned contact list
#[derive(Args)]
pub struct ContactsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Export(ExportArgs),
}

/// Prints every contact with its addresses in plain text
///
/// Reads the read model and opens the addresses with the key store of the data directory, also beside a running
/// server. As CSV (RFC 4180) it is one line an address; as JSON lines, one object a contact. Addresses that were
/// erased are left out.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
struct ExportArgs {
    #[command(flatten)]
    source: Source,
    #[arg(long, value_enum, default_value = "csv", value_name = "FORMAT", help = "How it is printed")]
    format: Format,
    /// Whose contacts [default: every tenant's]
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Csv,
    Jsonl,
}

/// A contact as it is printed.
#[derive(Serialize)]
struct Contact {
    tenant: String,
    contact: String,
    created_at: String,
    tags: Vec<String>,
    addresses: Vec<Address>,
}

#[derive(Serialize)]
struct Address {
    channel: &'static str,
    inbox: String,
    address: String,
    first_seen: String,
}

pub async fn run(args: ContactsArgs) -> anyhow::Result<u8> {
    let Command::Export(args) = args.command;
    export(args).await
}

async fn export(args: ExportArgs) -> anyhow::Result<u8> {
    let installation = args.source.installation()?;
    let (log, topology) = installation.log()?;
    let (store, vault) = (installation.read_model()?, installation.vault()?);
    let mut tenants: Vec<TenantId> =
        policies(&log, topology).await?.all().map(|policy| policy.tenant.clone()).collect();
    if let Some(only) = args.tenant {
        if !tenants.contains(&only) {
            let known: Vec<_> = tenants.iter().map(TenantId::as_str).collect();
            return Err(
                Unusable(format!("there is no tenant {only}; there are: {}", known.join(", "))).into()
            );
        }
        tenants = vec![only];
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    if let Format::Csv = args.format {
        out.write_all(HEADER.as_bytes()).map_err(exit::writing)?;
    }
    let mut erased = 0;
    for tenant in tenants {
        let mut after: Option<ContactId> = None;
        loop {
            let rows = store.contacts(&tenant, after, PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.id);
            for row in rows {
                let contact = open(&vault, &tenant, row, &mut erased).await?;
                write(&mut out, args.format, &contact).map_err(exit::writing)?;
            }
        }
    }
    out.flush().map_err(exit::writing)?;
    if erased > 0 {
        exit::say(format_args!("{erased} erased addresses are left out"));
    }
    Ok(exit::DONE)
}

async fn open(
    vault: &Vault,
    tenant: &TenantId,
    row: ContactRow,
    erased: &mut u64,
) -> anyhow::Result<Contact> {
    let mut addresses = Vec::with_capacity(row.addresses.len());
    for address in row.addresses {
        let subject = Subject { tenant: tenant.shared(), party: address.party.0 };
        // An address is the item of its own party.
        let opened = vault.open_sealed(&subject, &address.party.0, &address.sealed.bytes).await;
        match opened.with_context(|| format!("could not open an address of contact {}", row.id))? {
            Opened::Erased => *erased += 1,
            Opened::Plain(bytes) => addresses.push(Address {
                channel: address.channel.as_str(),
                inbox: address.inbox.to_string(),
                address: String::from_utf8(bytes)
                    .with_context(|| format!("an address of contact {} is not text", row.id))?,
                first_seen: rfc3339(address.first_seen),
            }),
        }
    }
    let (contact, created_at) = (row.id.to_string(), rfc3339(row.created_at));
    Ok(Contact { tenant: tenant.to_string(), contact, created_at, tags: row.tags, addresses })
}

const HEADER: &str = "tenant,contact,created_at,channel,inbox,address,first_seen,tags\r\n";

fn write(out: &mut impl Write, format: Format, contact: &Contact) -> io::Result<()> {
    match format {
        Format::Jsonl => {
            serde_json::to_writer(&mut *out, contact)?;
            out.write_all(b"\n")
        }
        Format::Csv => contact.addresses.iter().try_for_each(|address| {
            let tags = contact.tags.join(" ");
            let fields = [
                &contact.tenant,
                &contact.contact,
                &contact.created_at,
                address.channel,
                &address.inbox,
                &address.address,
                &address.first_seen,
                &tags,
            ];
            let fields: Vec<_> = fields.into_iter().map(field).collect();
            write!(out, "{}\r\n", fields.join(","))
        }),
    }
}

/// Quoted where it must be (RFC 4180, section 2).
fn field(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| String::new(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_quoted_where_it_must_be() {
        assert_eq!(field("plain"), "plain");
        assert_eq!(field("+15550100"), "+15550100");
        assert_eq!(field("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
    }

    #[test]
    fn one_line_an_address_or_one_object_a_contact() {
        let address = |address: &str| Address {
            channel: "email",
            inbox: "mail".into(),
            address: address.into(),
            first_seen: rfc3339(Timestamp(0)),
        };
        let contact = Contact {
            tenant: "acme".into(),
            contact: "c".into(),
            created_at: rfc3339(Timestamp(1_000)),
            tags: vec!["vip".into(), "de".into()],
            addresses: vec![address("a@x.test"), address("b@x.test")],
        };
        let printed = |format| {
            let mut out = Vec::new();
            write(&mut out, format, &contact).unwrap();
            String::from_utf8(out).unwrap()
        };
        let csv = printed(Format::Csv);
        assert_eq!(
            csv.lines().next(),
            Some("acme,c,1970-01-01T00:00:01Z,email,mail,a@x.test,1970-01-01T00:00:00Z,vip de")
        );
        assert_eq!(csv.lines().count(), 2);
        let json: serde_json::Value = serde_json::from_str(&printed(Format::Jsonl)).unwrap();
        assert_eq!(json["addresses"][1]["address"], "b@x.test");
    }
}
