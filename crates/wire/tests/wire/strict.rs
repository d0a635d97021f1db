//! What is unknown or missing is an error, never a default: every enum number, id, message and choice anywhere in a
//! record is made unknown or taken away in turn, and each time the record must be refused.

use std::path::Path;

use bytes::Bytes;
use domain::{contact, conversation, delivery, desk, workspace};
use protox::{
    prost::Message,
    prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, Value},
};
use wire::{Header, decode_header, decode_intake, decode_record, encode_decision, encode_intake};

use crate::samples::{Dice, Sampled, decision, intakes};

/// Text fields that hold ids.
const IDS: [&str; 8] = ["tenant", "inbox", "bot", "queue", "agent", "desk", "lease", "deferred"];
/// Byte fields that hold anything.
const ANYTHING: [&str; 2] = ["bytes", "raw"];
const UNKNOWN: i32 = 99;

fn pool() -> DescriptorPool {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let mut compiler = protox::Compiler::new([protos]).expect("the protobuf folder");
    for file in ["record", "intake"] {
        compiler.open_file(format!("tributary/log/v1/{file}.proto")).expect("it compiles");
    }
    compiler.descriptor_pool()
}

/// A message spoiled in one place, and where.
type Spoiled = (String, DynamicMessage);

fn spoiled(message: &DynamicMessage) -> Vec<Spoiled> {
    let mut all = Vec::new();
    for (field, value) in message.fields() {
        let mut put = |how: &str, value: Value| {
            let mut copy = message.clone();
            copy.set_field(&field, value);
            all.push((format!("{}.{how}", field.name()), copy));
        };
        match value {
            Value::List(items) => {
                for (i, item) in items.iter().enumerate() {
                    for (how, item) in spoiled_value(&field, item) {
                        let mut items = items.clone();
                        items[i] = item;
                        put(&format!("{i}.{how}"), Value::List(items));
                    }
                }
            }
            Value::Map(entries) => {
                for (key, value) in entries {
                    for (how, value) in spoiled_value(&field, value) {
                        let mut entries = entries.clone();
                        entries.insert(key.clone(), value);
                        put(&how, Value::Map(entries));
                    }
                    if let MapKey::I32(_) = key {
                        let mut entries = entries.clone();
                        entries.insert(MapKey::I32(UNKNOWN), value.clone());
                        put("unknown key", Value::Map(entries));
                    }
                }
            }
            value => {
                for (how, value) in spoiled_value(&field, value) {
                    put(&how, value);
                }
                if must_be_there(&field) {
                    let mut copy = message.clone();
                    copy.clear_field(&field);
                    all.push((format!("{} missing", field.name()), copy));
                }
            }
        }
    }
    all
}

fn spoiled_value(field: &FieldDescriptor, value: &Value) -> Vec<(String, Value)> {
    match value {
        Value::EnumNumber(_) => [0, UNKNOWN, -1].map(|n| (n.to_string(), Value::EnumNumber(n))).into(),
        Value::Bytes(_) if !ANYTHING.contains(&field.name()) => {
            [0, 15, 17].map(|n| (format!("{n} bytes"), Value::Bytes(vec![1; n].into()))).into()
        }
        Value::String(_) if IDS.contains(&field.name()) => {
            ["", "no name/"].map(|text| (format!("{text:?}"), Value::String(text.into()))).into()
        }
        Value::Message(inner) => {
            spoiled(inner).into_iter().map(|(how, inner)| (how, Value::Message(inner))).collect()
        }
        _ => Vec::new(),
    }
}

/// A choice, or a message that is not marked `optional`.
fn must_be_there(field: &FieldDescriptor) -> bool {
    let optional = field.field_descriptor_proto().proto3_optional();
    !optional && (field.containing_oneof().is_some() || matches!(field.kind(), Kind::Message(_)))
}

fn spoil_all(pool: &DescriptorPool, name: &str, bytes: &Bytes) -> Vec<Spoiled> {
    let descriptor = pool.get_message_by_name(name).expect("a message of ours");
    let message = DynamicMessage::decode(descriptor, bytes.clone()).expect("what was written is protobuf");
    assert_eq!(message.unknown_fields().count(), 0);
    spoiled(&message)
}

fn intakes_are_read_strictly<A: Sampled>(pool: &DescriptorPool) {
    for intake in intakes::<A>(&mut Dice(7)) {
        let bytes = encode_intake::<A>(&intake);
        let spoiled = spoil_all(pool, "tributary.log.v1.Intake", &bytes);
        assert!(spoiled.len() > 3, "{intake:?} can be spoiled");
        for (how, message) in spoiled {
            let read = decode_intake::<A>(&message.encode_to_vec().into());
            assert!(read.is_err(), "{how} was read as {read:?}");
        }
    }
}

fn decisions_are_read_strictly<A: Sampled>(pool: &DescriptorPool) {
    let bytes = encode_decision(&decision::<A>(&mut Dice(7)));
    let spoiled = spoil_all(pool, "tributary.log.v1.Record", &bytes);
    assert!(spoiled.len() > 50, "a decision can be spoiled");
    for (how, message) in spoiled {
        let bytes: Bytes = message.encode_to_vec().into();
        let read = decode_record::<A>(&bytes);
        assert!(read.is_err(), "{how} was read as {read:?}");
        if how.contains("steps") {
            let header = decode_header(&bytes);
            assert!(
                matches!(header, Ok(Header::Decision { .. })),
                "the header is whole, though {how}: {header:?}"
            );
        }
    }
}

#[test]
fn intake_records() {
    let pool = pool();
    intakes_are_read_strictly::<conversation::Decider>(&pool);
    intakes_are_read_strictly::<desk::Decider>(&pool);
    intakes_are_read_strictly::<delivery::Decider>(&pool);
    intakes_are_read_strictly::<contact::Decider>(&pool);
    intakes_are_read_strictly::<workspace::Decider>(&pool);
}

#[test]
fn log_records() {
    let pool = pool();
    decisions_are_read_strictly::<conversation::Decider>(&pool);
    decisions_are_read_strictly::<desk::Decider>(&pool);
    decisions_are_read_strictly::<delivery::Decider>(&pool);
    decisions_are_read_strictly::<contact::Decider>(&pool);
    decisions_are_read_strictly::<workspace::Decider>(&pool);
}

/// An error says where in the record the flaw is.
#[test]
fn an_error_names_the_place() {
    let pool = pool();
    let (_, message) = intakes::<conversation::Decider>(&mut Dice(7))
        .iter()
        .flat_map(|intake| {
            spoil_all(&pool, "tributary.log.v1.Intake", &encode_intake::<conversation::Decider>(intake))
        })
        .find(|(how, _)| how == "input.command.conversation.receive.from.channel.99")
        .expect("a message's channel can be spoiled");
    let error = decode_intake::<conversation::Decider>(&message.encode_to_vec().into()).expect_err("refused");
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    assert_eq!(
        text,
        "an intake record is protobuf, but says nothing that makes sense: in command.Receive.from.channel: \
         99 is no number of a Channel"
    );
}
