//! What happened with a customer, in order: `Contacts.List` to find the person, `Timelines.Get` for the story.

mod shared;

use std::process::ExitCode;

use clap::Parser;
use shared::{Connection, clock, connect, exit, refused, say, text};
use wire::api::v1::{
    Contact, DeliveryStatus, GetTimelineRequest, ListContactsRequest, TimelineEntry, address,
    contacts_client::ContactsClient, get_timeline_request::Of, timelines_client::TimelinesClient,
};

/// Shows a customer's timeline; without a name, lists the contacts there are.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  timeline\n  timeline ann@example.org\n  timeline +15550123\n  timeline CONVERSATION"
)]
struct Args {
    /// An address, or the id of a contact, a conversation or a party.
    who: Option<String>,
    /// Where Tributary serves gRPC.
    #[arg(long, default_value = "http://127.0.0.1:7070")]
    addr: String,
    /// The bearer token of an administrator, an agent or a reader, with the `pii` scope.
    #[arg(long, env = "TRIBUTARY_TOKEN", default_value = "dev", hide_env_values = true)]
    token: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(Args::parse()).await)
}

async fn run(args: Args) -> anyhow::Result<()> {
    let connection = connect(&args.addr, &args.token).await?;
    let contacts = contacts(connection.clone()).await?;
    let Some(who) = args.who else {
        say!("{} contacts. Ask for one by an address or an id.\n", contacts.len());
        contacts.iter().for_each(|contact| say!("{}", line_of(contact)));
        return Ok(());
    };
    let found = contacts.iter().find(|contact| contact.id == who || addresses(contact).any(|it| it == who));
    let of = match found {
        Some(contact) => {
            say!("{}\n", line_of(contact));
            Of::Contact(contact.id.clone())
        }
        None if who.contains('-') => Of::Conversation(who),
        None if who.len() == 32 => Of::Party(who),
        None => {
            anyhow::bail!("no contact has the address {who:?}; without an argument all contacts are listed")
        }
    };
    show(connection, of).await
}

async fn contacts(connection: Connection) -> anyhow::Result<Vec<Contact>> {
    let mut client = ContactsClient::new(connection);
    let mut contacts = Vec::new();
    let mut after = String::new();
    loop {
        let request = ListContactsRequest { after, page_size: 1_000, include_pii: true };
        let page = client.list(request).await.map_err(|status| refused(&status))?.into_inner();
        contacts.extend(page.contacts);
        if page.next.is_empty() {
            return Ok(contacts);
        }
        after = page.next;
    }
}

async fn show(connection: Connection, of: Of) -> anyhow::Result<()> {
    let mut client = TimelinesClient::new(connection);
    let mut after = String::new();
    loop {
        let request = GetTimelineRequest { of: Some(of.clone()), after, page_size: 0, include_pii: true };
        let page = client.get(request).await.map_err(|status| refused(&status))?.into_inner();
        if page.entries.is_empty() {
            return Ok(());
        }
        page.entries.iter().for_each(|entry| say!("{}", line(entry)));
        after = page.next;
    }
}

fn line_of(contact: &Contact) -> String {
    let addresses: Vec<_> =
        contact.addresses.iter().map(|it| it.inbox.as_str()).zip(addresses(contact)).collect();
    let addresses: Vec<_> =
        addresses.into_iter().map(|(inbox, address)| format!("{inbox}: {address}")).collect();
    format!("{}  {}", contact.id, addresses.join(", "))
}

fn addresses(contact: &Contact) -> impl Iterator<Item = &str> {
    contact.addresses.iter().map(|it| match it.address.as_ref().and_then(|it| it.state.as_ref()) {
        Some(address::State::Address(address)) => address.as_str(),
        Some(address::State::Erased(())) => "(erased)",
        _ => "(withheld)",
    })
}

fn line(entry: &TimelineEntry) -> String {
    let delivery = match entry.delivery() {
        DeliveryStatus::Unspecified => "",
        DeliveryStatus::Held => "  ⏸ held until morning",
        DeliveryStatus::Withheld => "  ✗ withheld",
        DeliveryStatus::Sent => "  ✓ sent",
        DeliveryStatus::Delivered => "  ✓ delivered",
        DeliveryStatus::Read => "  ✓ read",
        DeliveryStatus::Failed => "  ✗ failed",
        DeliveryStatus::Unknown => "  ? nobody knows whether it arrived",
    };
    let what = if entry.body.is_some() {
        text(entry.body.as_ref())
    } else if entry.detail.is_empty() {
        format!("· {}", entry.kind)
    } else {
        format!("· {} ({})", entry.kind, entry.detail)
    };
    format!("{}  {:<10} {:<28} {what}{delivery}", clock!(entry.at), entry.inbox, entry.author)
}
