//! An address at which there is nobody: nothing is sent there from any of the business's mailboxes. The mailbox that heard of
//! it knows by itself; the others are told here, each under the party that the address is in it.

use domain::{
    Channel, InboxId, Intake, Origin, Party, Policies, TenantId, Timestamp,
    conversation::{Command, Suppression},
};
use vault::Vault;

/// For each other mailbox of the tenant: the party of the address, and what its conversations are told. Where nobody was ever
/// written to at that address, it says nothing.
pub(crate) fn elsewhere(
    vault: &Vault,
    policies: &Policies,
    tenant: &TenantId,
    inbox: &InboxId,
    address: &str,
    at: Timestamp,
) -> Vec<(Party, Intake<Command>)> {
    let Some(policy) = policies.of(tenant) else { return Vec::new() };
    let others = policy.inboxes.iter().filter(|(id, of)| *id != inbox && of.channel == Channel::Email);
    let told = others.map(|(id, _)| {
        let party = Party(vault.party(tenant.as_str(), id.as_str(), address));
        let command = Command::Suppress { tenant: tenant.clone(), party, cause: Suppression::DeadAddress };
        let (tenant, policy_version) = (tenant.clone(), policy.version);
        (party, Intake::Input { origin: Origin::Report, at, tenant, policy_version, command })
    });
    told.collect()
}
