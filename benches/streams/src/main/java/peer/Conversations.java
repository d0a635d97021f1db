package peer;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import peer.state.Customer;
import tributary.log.v1.Conversation.ConversationCommand;
import tributary.log.v1.IntakeOuterClass.Intake;

/** The worker: dedups by fact, decides, keeps the customer's state, and tells what happened and who must know. */
final class Conversations implements Processor<byte[], Intake, Bytes, MessageLite> {
    static final String FACTS = "facts";
    static final String CUSTOMERS = "customers";
    static final String TIMERS = "timers";
    static final String DECISIONS = "decisions";
    static final String TO_CONTACTS = "to-contacts";
    static final String TO_DESKS = "to-desks";

    /** Facts are remembered as long as the router remembers a platform's: WhatsApp redelivers for 7 days. */
    private static final long FACTS_KEPT = Duration.ofDays(14).toMillis();
    /** Old facts are looked for a part at a time, so that no message waits for it. */
    private static final Duration SWEEP_EVERY = Duration.ofSeconds(10);
    private static final int SWEPT_AT_ONCE = 10_000;
    private static final Duration FIRE_EVERY = Duration.ofSeconds(1);
    private static final int FIRED_AT_ONCE = 1_000;
    private static final byte[] NOTHING = {};
    private static final Logger LOG = LoggerFactory.getLogger(Conversations.class);

    private final Policy policy;
    private ProcessorContext<Bytes, MessageLite> context;
    private KeyValueStore<Bytes, Long> facts;
    private KeyValueStore<Bytes, Customer> customers;
    private KeyValueStore<Bytes, byte[]> timers;
    /** Where the next sweep begins; null at the beginning. */
    private Bytes swept;

    Conversations(Policy policy) {
        this.policy = policy;
    }

    @Override
    public void init(ProcessorContext<Bytes, MessageLite> context) {
        this.context = context;
        facts = context.getStateStore(FACTS);
        customers = context.getStateStore(CUSTOMERS);
        timers = context.getStateStore(TIMERS);
        context.schedule(FIRE_EVERY, PunctuationType.WALL_CLOCK_TIME, this::fire);
        context.schedule(SWEEP_EVERY, PunctuationType.WALL_CLOCK_TIME, this::sweep);
    }

    @Override
    public void process(Record<byte[], Intake> record) {
        var input = record.value().getInput();
        var command = input.getCommand().getConversation();
        if (!input.getOrigin().hasFact() || command.getKindCase() != ConversationCommand.KindCase.RECEIVE) {
            LOG.warn("an input that this application has no rules for: {}", command.getKindCase());
            return;
        }
        ByteString fact = input.getOrigin().getFact();
        Bytes seen = Bytes.wrap(fact.toByteArray());
        if (facts.get(seen) != null) {
            return;
        }
        var received = command.getReceive();
        Bytes party = Bytes.wrap(received.getFrom().getParty().toByteArray());
        long now = context.currentSystemTimeMs();
        Decision decision = Rules.receive(policy, now, fact, received, customers.get(party));
        if (decision == null) {
            LOG.warn("a message for an inbox that is not known: {}", received.getFrom().getInbox());
            return;
        }
        facts.put(seen, now);
        apply(now, party, decision);
    }

    /** Bots that let their time pass. */
    private void fire(long now) {
        List<Bytes> due = new ArrayList<>();
        try (KeyValueIterator<Bytes, byte[]> timer = timers.range(null, Timer.upTo(now))) {
            while (timer.hasNext() && due.size() < FIRED_AT_ONCE) {
                due.add(timer.next().key);
            }
        }
        for (Bytes key : due) {
            timers.delete(key);
            Timer timer = Timer.of(key);
            Bytes party = Bytes.wrap(timer.party());
            Decision decision = Rules.silent(now, ByteString.copyFrom(timer.party()), timer, customers.get(party));
            if (decision != null) {
                apply(now, party, decision);
            }
        }
    }

    private void apply(long now, Bytes party, Decision decision) {
        customers.put(party, decision.after);
        if (decision.answerBy > 0) {
            var timer = new Timer(decision.answerBy, party.get(), decision.after.getLatest().getNumber(), decision.turnNumber);
            timers.put(timer.key(), NOTHING);
        }
        context.forward(new Record<>(party, decision.step(), now), DECISIONS);
        if (decision.toContacts != null) {
            context.forward(new Record<>(party, decision.toContacts, now), TO_CONTACTS);
        }
        if (decision.toDesk != null) {
            context.forward(new Record<>(party, decision.toDesk, now), TO_DESKS);
        }
    }

    private void sweep(long now) {
        List<Bytes> old = new ArrayList<>();
        int looked = 0;
        try (KeyValueIterator<Bytes, Long> fact = facts.range(swept, null)) {
            while (fact.hasNext() && looked < SWEPT_AT_ONCE) {
                KeyValue<Bytes, Long> next = fact.next();
                looked++;
                swept = next.key;
                if (now - next.value > FACTS_KEPT) {
                    old.add(next.key);
                }
            }
        }
        if (looked < SWEPT_AT_ONCE) {
            swept = null;
        }
        old.forEach(facts::delete);
    }
}
