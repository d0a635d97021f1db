//! `Workspace`: the policy document in force, and new versions of it.

use std::sync::Arc;

use domain::{Route, workspace};
use prost::Message;
use tonic::{Request, Response, Status};
use wire::api::v1::{self as pb, workspace_server};

use crate::{auth::principal, commands::malformed, convert, server::Shared};

pub(crate) struct Workspace(pub(crate) Shared);

#[tonic::async_trait]
impl workspace_server::Workspace for Workspace {
    async fn get(&self, request: Request<pb::GetWorkspaceRequest>) -> Result<Response<pb::Policy>, Status> {
        let principal = principal(&request)?;
        principal.admin()?;
        let peer = self.0.topology.peer(&Route::Workspace(principal.tenant.clone()));
        self.0.hub.caught_up(peer).await?;
        let policy = self.0.hub.policy(&principal.tenant);
        let policy = policy.ok_or_else(|| Status::not_found("no workspace was applied yet"))?;
        Ok(Response::new(convert::policy::to_message(&policy)))
    }

    async fn apply(
        &self,
        request: Request<pb::ApplyWorkspaceRequest>,
    ) -> Result<Response<pb::ApplyWorkspaceResponse>, Status> {
        let principal = principal(&request)?;
        principal.admin()?;
        let pb::ApplyWorkspaceRequest { command_id, policy } = request.into_inner();
        convert::client_id("command_id", &command_id).map_err(malformed)?;
        let policy = policy.ok_or_else(|| malformed(convert::invalid("`policy` is missing")))?;
        let ask = self.0.commander.ask(&principal, &command_id, &[b"apply", &policy.encode_to_vec()]);
        let policy = convert::policy::from_message(&principal.tenant, policy).map_err(malformed)?;
        let command = workspace::Command::Apply(Arc::new(policy));
        let route = Route::Workspace(principal.tenant.clone());
        let outcome = self.0.commander.submit::<workspace::Decider>(&principal.tenant, &route, ask, command);
        let position = outcome.await.into_result()?;
        let version = self.0.hub.policy(&principal.tenant).map_or(0, |policy| policy.version);
        Ok(Response::new(pb::ApplyWorkspaceResponse { position, version }))
    }
}
