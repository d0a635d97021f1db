package peer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import peer.state.Customer;
import tributary.log.v1.Contact.ContactCommand;
import tributary.log.v1.Conversation.ConversationCommand;
import tributary.log.v1.Conversation.ConversationWhat;
import tributary.log.v1.Values.MessageKind;
import tributary.log.v1.Conversation.Received;
import tributary.log.v1.Desk.DeskCommand;
import tributary.log.v1.IntakeOuterClass.Command;
import tributary.log.v1.IntakeOuterClass.Intake;
import tributary.log.v1.IntakeOuterClass.Origin;
import tributary.log.v1.RecordOuterClass.Step;
import tributary.log.v1.Values.Channel;
import tributary.log.v1.Values.Correspondent;
import tributary.log.v1.Values.Sealed;

/** The whole topology, on stores and settings as they run. */
class ConversationsTest {
    private static final Topics TOPICS = new Topics("intake", "decisions", "contacts", "desks");
    private static final Instant BEGAN = Instant.parse("2026-01-01T00:00:00Z");

    @TempDir
    Path state;

    private TopologyTestDriver driver;
    private TestInputTopic<byte[], Intake> intake;
    private TestOutputTopic<byte[], Step> decisions;
    private TestOutputTopic<byte[], ContactCommand> contacts;
    private TestOutputTopic<byte[], DeskCommand> desks;

    @BeforeEach
    void begin() {
        var settings = Main.settings("none:9092", "test", state.toString());
        driver = new TopologyTestDriver(Flow.of(TOPICS, Policy.ofTheBench()), settings, BEGAN);
        Serializer<Intake> write = Flow.protobuf(Intake.parser()).serializer();
        intake = driver.createInputTopic(TOPICS.intake(), Serdes.ByteArray().serializer(), write);
        decisions = driver.createOutputTopic(TOPICS.decisions(), Serdes.ByteArray().deserializer(), read(Step.parser()));
        contacts = driver.createOutputTopic(TOPICS.contacts(), Serdes.ByteArray().deserializer(), read(ContactCommand.parser()));
        desks = driver.createOutputTopic(TOPICS.desks(), Serdes.ByteArray().deserializer(), read(DeskCommand.parser()));
    }

    @AfterEach
    void end() {
        driver.close();
    }

    @Test
    void aFirstMessageOpensAConversationAndAsksItsBot() {
        intake.pipeInput(message("ann", 1, "sms"));
        var step = decisions.readValue();
        assertEquals(fact(1), step.getCause().getFact());
        assertEquals(List.of("CUSTOMER_SEEN", "OPENED", "BOT_ENGAGED", "MESSAGE_RECEIVED", "TURN_ASKED"), kinds(step));
        var asked = what(step, 4).getTurnAsked();
        assertEquals("sealed-1", asked.getContent().getBytes().toStringUtf8());
        assertEquals(BEGAN.plus(Duration.ofMinutes(10)).toEpochMilli(), asked.getAnswerBy());
        assertEquals(party("ann"), contacts.readValue().getSee().getFrom().getParty());
        assertTrue(desks.isEmpty());
    }

    @Test
    void whileTheBotThinksAMessageOnlyWaits() {
        intake.pipeInput(message("ann", 1, "sms"));
        intake.pipeInput(message("ann", 2, "sms"));
        intake.pipeInput(message("ann", 3, "sms"));
        var steps = decisions.readValuesToList();
        assertEquals(3, steps.size());
        assertEquals(List.of("MESSAGE_RECEIVED"), kinds(steps.get(1)));
        assertEquals("sealed-3", what(steps.get(2), 0).getMessageReceived().getContent().getBytes().toStringUtf8());
        var owner = customer("ann").getLatest().getBot();
        assertEquals("sealed-1", owner.getTurn().getContent().getBytes().toStringUtf8());
        assertEquals("sealed-3", owner.getTurn().getNext().getContent().getBytes().toStringUtf8());
    }

    @Test
    void theSameFactTwiceIsOne() {
        intake.pipeInput(message("ann", 1, "sms"));
        intake.pipeInput(message("bob", 2, "sms"));
        intake.pipeInput(message("ann", 1, "sms"));
        assertEquals(2, decisions.readValuesToList().size());
    }

    @Test
    void aFactIsForgottenAfterTwoWeeksAndNotBefore() {
        intake.pipeInput(message("ann", 1, "sms"));
        driver.advanceWallClockTime(Duration.ofDays(13));
        decisions.readValuesToList();
        intake.pipeInput(message("ann", 1, "sms"));
        assertTrue(decisions.isEmpty());
        driver.advanceWallClockTime(Duration.ofDays(2));
        intake.pipeInput(message("ann", 1, "sms"));
        assertEquals(fact(1), decisions.readValue().getCause().getFact());
    }

    @Test
    void aSilentBotLosesTheConversationToItsQueueOnce() {
        intake.pipeInput(message("ann", 1, "sms"));
        decisions.readValue();
        driver.advanceWallClockTime(Duration.ofMinutes(10).minusMillis(1));
        assertTrue(decisions.isEmpty());
        driver.advanceWallClockTime(Duration.ofMinutes(20));
        driver.advanceWallClockTime(Duration.ofMinutes(20));
        var steps = decisions.readValuesToList();
        assertEquals(1, steps.size());
        assertEquals(List.of("AGENT_WANTED"), kinds(steps.get(0)));
        assertEquals("acme/support/general", desks.readValue().getEnqueue().getQueue());
        assertTrue(desks.isEmpty());

        intake.pipeInput(message("ann", 2, "sms"));
        assertEquals(List.of("MESSAGE_RECEIVED"), kinds(decisions.readValue()));
        assertEquals("acme/support/general", customer("ann").getLatest().getQueue());
    }

    @Test
    void anInboxThatNobodyKnowsStopsNothing() {
        intake.pipeInput(message("ann", 1, "nowhere"));
        intake.pipeInput(message("ann", 2, "sms"));
        assertEquals(fact(2), decisions.readValue().getCause().getFact());
        assertTrue(decisions.isEmpty());
    }

    private Customer customer(String name) {
        var store = driver.<Bytes, Customer>getKeyValueStore(Conversations.CUSTOMERS);
        return store.get(Bytes.wrap(party(name).toByteArray()));
    }

    private static List<String> kinds(Step step) {
        return step.getEventsList().stream().map(it -> it.getEvent().getConversation().getWhat().getKindCase().name()).toList();
    }

    private static ConversationWhat what(Step step, int at) {
        return step.getEvents(at).getEvent().getConversation().getWhat();
    }

    private static Intake message(String name, int number, String inbox) {
        var from = Correspondent.newBuilder()
            .setTenant("acme")
            .setInbox(inbox)
            .setChannel(Channel.CHANNEL_SMS)
            .setParty(party(name))
            .setAddress(sealed(name, "address"));
        var received = Received.newBuilder()
            .setFrom(from)
            .setKind(MessageKind.MESSAGE_KIND_MESSAGE)
            .setMessage(fact(number))
            .setContent(sealed(name, "sealed-" + number))
            .setSentAt(BEGAN.toEpochMilli())
            .setAuthenticated(true);
        var command = Command.newBuilder().setConversation(ConversationCommand.newBuilder().setReceive(received));
        return Intake.newBuilder().setInput(Intake.Input.newBuilder()
            .setOrigin(Origin.newBuilder().setFact(fact(number)))
            .setAt(BEGAN.toEpochMilli())
            .setTenant("acme")
            .setPolicyVersion(1)
            .setCommand(command)).build();
    }

    private static Sealed sealed(String name, String text) {
        return Sealed.newBuilder().setSubject(party(name)).setBytes(ByteString.copyFromUtf8(text)).build();
    }

    private static ByteString party(String name) {
        return ByteString.copyFromUtf8((name + "................").substring(0, 16));
    }

    private static ByteString fact(int number) {
        return ByteString.copyFromUtf8(String.format("fact-%011d", number));
    }

    private static <M extends MessageLite> Deserializer<M> read(Parser<M> parser) {
        return Flow.protobuf(parser).deserializer();
    }
}
