//! `Contacts`: the owned ledger, read from the projections, changed by commands.

mod token;

use domain::{ContactId, Party, Route, contact};
use projections::ContactRow;
use prost::Message;
use tonic::{Request, Response, Status};
use wire::api::v1::{self as pb, contacts_server};

use crate::{
    auth::{Principal, principal},
    commands::malformed,
    content::Opener,
    convert::{self, client_id, page_size, parse},
    outlet::Outflow,
    server::{Shared, unreadable},
};

/// Contacts read at a time for an export.
const EXPORT_PAGE: usize = 500;

pub(crate) struct Contacts(pub(crate) Shared);

#[tonic::async_trait]
impl contacts_server::Contacts for Contacts {
    type ExportStream = Outflow<pb::Contact>;

    async fn get(&self, request: Request<pb::GetContactRequest>) -> Result<Response<pb::Contact>, Status> {
        let principal = principal(&request)?;
        principal.reader()?;
        let request = request.into_inner();
        let id: ContactId = parse("contact", &request.contact).map_err(malformed)?;
        let opener = self.opener(&principal, request.include_pii)?;
        let row = self.0.store.contact(&principal.tenant, id).await.map_err(unreadable)?;
        let row = row.ok_or_else(|| Status::not_found("there is no such contact"))?;
        Ok(Response::new(shown(&opener, row).await?))
    }

    async fn list(
        &self,
        request: Request<pb::ListContactsRequest>,
    ) -> Result<Response<pb::ListContactsResponse>, Status> {
        let principal = principal(&request)?;
        principal.reader()?;
        let request = request.into_inner();
        let after = match request.after.as_str() {
            "" => None,
            text => Some(parse("after", text).map_err(malformed)?),
        };
        let opener = self.opener(&principal, request.include_pii)?;
        let size = page_size(request.page_size);
        let rows = self.0.store.contacts(&principal.tenant, after, size).await.map_err(unreadable)?;
        let next = match rows.last() {
            Some(last) if rows.len() == size => last.id.to_string(),
            _ => String::new(),
        };
        let mut contacts = Vec::with_capacity(rows.len());
        for row in rows {
            contacts.push(shown(&opener, row).await?);
        }
        Ok(Response::new(pb::ListContactsResponse { contacts, next }))
    }

    async fn export(
        &self,
        request: Request<pb::ExportContactsRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        let principal = principal(&request)?;
        principal.admin()?;
        let opener = self.opener(&principal, request.into_inner().include_pii)?;
        let store = self.0.store.clone();
        Ok(Response::new(self.0.streams.open("contacts", |outlet| async move {
            let mut after = None;
            loop {
                let rows = store.contacts(&principal.tenant, after, EXPORT_PAGE).await.map_err(unreadable)?;
                let Some(last) = rows.last() else { return Ok(()) };
                after = Some(last.id);
                for row in rows {
                    outlet.send(shown(&opener, row).await?).await?;
                }
            }
        })))
    }

    async fn link(&self, request: Request<pb::LinkContactRequest>) -> Result<Response<pb::Accepted>, Status> {
        let principal = principal(&request)?;
        let mut request = request.into_inner();
        let tenant = principal.tenant.clone();
        let contact = parse("contact", &request.contact).map_err(malformed)?;
        let party: Party = parse("party", &request.party).map_err(malformed)?;
        let id = std::mem::take(&mut request.command_id);
        let command = contact::Command::Link { tenant, contact, party };
        self.change(&principal, &id, "link", request.encode_to_vec(), command).await
    }

    async fn tag(&self, request: Request<pb::TagContactRequest>) -> Result<Response<pb::Accepted>, Status> {
        let principal = principal(&request)?;
        let mut request = request.into_inner();
        let tenant = principal.tenant.clone();
        let contact = parse("contact", &request.contact).map_err(malformed)?;
        let tag = request.tag.as_str().into();
        let id = std::mem::take(&mut request.command_id);
        let command = contact::Command::Tag { tenant, contact, tag };
        self.change(&principal, &id, "tag", request.encode_to_vec(), command).await
    }

    async fn untag(&self, request: Request<pb::TagContactRequest>) -> Result<Response<pb::Accepted>, Status> {
        let principal = principal(&request)?;
        let mut request = request.into_inner();
        let tenant = principal.tenant.clone();
        let contact = parse("contact", &request.contact).map_err(malformed)?;
        let tag = request.tag.as_str().into();
        let id = std::mem::take(&mut request.command_id);
        let command = contact::Command::Untag { tenant, contact, tag };
        self.change(&principal, &id, "untag", request.encode_to_vec(), command).await
    }

    async fn make_token(
        &self,
        request: Request<pb::MakeTokenRequest>,
    ) -> Result<Response<pb::MakeTokenResponse>, Status> {
        let principal = principal(&request)?;
        principal.editor()?;
        let request = request.into_inner();
        let contact: ContactId = parse("contact", &request.contact).map_err(malformed)?;
        let row = self.0.store.contact(&principal.tenant, contact).await.map_err(unreadable)?;
        row.ok_or_else(|| Status::not_found("there is no such contact"))?;
        let peer = self.0.topology.peer(&Route::Workspace(principal.tenant.clone()));
        self.0.hub.caught_up(peer).await?;
        let policy = self.0.hub.policy(&principal.tenant);
        let policy = policy.ok_or_else(|| Status::not_found("no workspace was applied yet"))?;
        token::make(&self.0.vault, &policy, contact, &request).map(Response::new)
    }
}

impl Contacts {
    fn opener(&self, principal: &Principal, include_pii: bool) -> Result<Opener, Status> {
        let shown = principal.sees_pii(include_pii)?;
        Ok(Opener { vault: self.0.vault.clone(), tenant: principal.tenant.clone(), shown })
    }

    /// `says` is the request without its command id.
    async fn change(
        &self,
        principal: &Principal,
        command_id: &str,
        name: &str,
        says: Vec<u8>,
        command: contact::Command,
    ) -> Result<Response<pb::Accepted>, Status> {
        principal.editor()?;
        client_id("command_id", command_id).map_err(malformed)?;
        let commander = &self.0.commander;
        let ask = commander.ask(principal, command_id, &[name.as_bytes(), &says]);
        let route = Route::Contacts(principal.tenant.clone());
        let outcome = commander.submit::<contact::Decider>(&principal.tenant, &route, ask, command).await;
        Ok(Response::new(pb::Accepted { position: outcome.into_result()? }))
    }
}

async fn shown(opener: &Opener, row: ContactRow) -> Result<pb::Contact, Status> {
    let mut addresses = Vec::with_capacity(row.addresses.len());
    for address in row.addresses {
        addresses.push(pb::ContactAddress {
            party: address.party.to_string(),
            inbox: address.inbox.to_string(),
            channel: convert::channel(address.channel).into(),
            address: Some(opener.address(&address.sealed).await?),
        });
    }
    Ok(pb::Contact {
        id: row.id.to_string(),
        addresses,
        tags: row.tags,
        created_at: convert::time(row.created_at),
    })
}
