//! The log on Kafka keeps the contract, on librdkafka's own stand-in for a cluster and on real brokers, and loses
//! nothing that it acknowledged when brokers go.

mod brokers;
mod contract;
mod damage;
mod faults;
mod members;
mod topics;
