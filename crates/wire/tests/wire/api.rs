//! What reflection says about the public API is what is served.

use std::collections::BTreeSet;

use protox::prost_reflect::DescriptorPool;
use wire::api::{
    DESCRIPTORS,
    v1::{
        bots_server, contacts_server, desk_server, events_server, operator_server, supervision_server,
        timelines_server, workspace_server,
    },
};

#[test]
fn the_descriptors_name_every_service() {
    let pool = DescriptorPool::decode(DESCRIPTORS).expect("a complete set of descriptors");
    let described: BTreeSet<_> = pool.services().map(|service| service.full_name().to_owned()).collect();
    let served = [
        bots_server::SERVICE_NAME,
        contacts_server::SERVICE_NAME,
        desk_server::SERVICE_NAME,
        events_server::SERVICE_NAME,
        operator_server::SERVICE_NAME,
        supervision_server::SERVICE_NAME,
        timelines_server::SERVICE_NAME,
        workspace_server::SERVICE_NAME,
    ];
    assert_eq!(described, served.map(str::to_owned).into());
}
