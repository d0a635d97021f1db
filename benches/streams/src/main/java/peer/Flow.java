package peer;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import java.util.Map;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.Stores;
import peer.state.Customer;
import tributary.log.v1.IntakeOuterClass.Intake;

/** From the intake through one processor, with its three stores, to the topics of those who must know. */
final class Flow {
    /** The sizes that a changelog's segments are rolled at keep what has to be restored short. */
    private static final Map<String, String> CHANGELOG = Map.of("segment.bytes", Integer.toString(64 << 20));
    private static final Serializer<MessageLite> WRITTEN = (topic, message) -> message == null ? null : message.toByteArray();

    private Flow() {}

    static Topology of(Topics topics, Policy policy) {
        var bytes = Serdes.Bytes();
        return new Topology()
            .addSource("intake", Serdes.ByteArray().deserializer(), protobuf(Intake.parser()).deserializer(), topics.intake())
            .addProcessor("conversations", () -> new Conversations(policy), "intake")
            .addStateStore(
                Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(Conversations.FACTS), bytes, Serdes.Long())
                    .withLoggingEnabled(CHANGELOG), "conversations")
            .addStateStore(
                Stores.keyValueStoreBuilder(
                    Stores.persistentKeyValueStore(Conversations.CUSTOMERS), bytes, protobuf(Customer.parser()))
                    .withLoggingEnabled(CHANGELOG), "conversations")
            .addStateStore(
                Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(Conversations.TIMERS), bytes, Serdes.ByteArray())
                    .withLoggingEnabled(CHANGELOG), "conversations")
            .addSink(Conversations.DECISIONS, topics.decisions(), bytes.serializer(), WRITTEN, "conversations")
            .addSink(Conversations.TO_CONTACTS, topics.contacts(), bytes.serializer(), WRITTEN, "conversations")
            .addSink(Conversations.TO_DESKS, topics.desks(), bytes.serializer(), WRITTEN, "conversations");
    }

    static <M extends MessageLite> Serde<M> protobuf(Parser<M> parser) {
        Deserializer<M> read = (topic, bytes) -> {
            try {
                return bytes == null ? null : parser.parseFrom(bytes);
            } catch (InvalidProtocolBufferException damaged) {
                throw new SerializationException("a record of " + topic + " cannot be read", damaged);
            }
        };
        Serializer<M> write = (topic, message) -> message == null ? null : message.toByteArray();
        return Serdes.serdeFrom(write, read);
    }
}
