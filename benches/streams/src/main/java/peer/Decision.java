package peer;

import com.google.protobuf.ByteString;
import peer.state.Customer;
import tributary.log.v1.Contact.ContactCommand;
import tributary.log.v1.Conversation.ConversationEvent;
import tributary.log.v1.Conversation.ConversationWhat;
import tributary.log.v1.Desk.DeskCommand;
import tributary.log.v1.RecordOuterClass.Cause;
import tributary.log.v1.RecordOuterClass.Event;
import tributary.log.v1.RecordOuterClass.Recorded;
import tributary.log.v1.RecordOuterClass.Step;

/** What follows from one input: a step as the router would write it, the customer's new state, and what is told to others. */
final class Decision {
    /** A turn that was put to a bot, and until when it may be answered; 0 where none was. */
    long answerBy;
    int turnNumber;

    ContactCommand toContacts;
    DeskCommand toDesk;
    Customer after;

    private final String tenant;
    private final String inbox;
    private final Step.Builder step;

    private Decision(String tenant, String inbox, Cause cause) {
        this.tenant = tenant;
        this.inbox = inbox;
        this.step = Step.newBuilder().setCause(cause);
    }

    static Decision ofFact(String tenant, String inbox, ByteString fact) {
        return new Decision(tenant, inbox, Cause.newBuilder().setFact(fact).build());
    }

    static Decision ofTimer(String tenant, String inbox, Cause.Timer timer) {
        return new Decision(tenant, inbox, Cause.newBuilder().setTimer(timer).build());
    }

    void push(ConversationWhat what) {
        var event = ConversationEvent.newBuilder().setTenant(tenant).setInbox(inbox).setWhat(what);
        step.addEvents(Recorded.newBuilder().setEvent(Event.newBuilder().setConversation(event)));
    }

    Step step() {
        return step.build();
    }
}
