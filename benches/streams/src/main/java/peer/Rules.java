package peer;

import com.google.protobuf.ByteString;
import peer.state.Customer;
import peer.state.Latest;
import peer.state.OwnedByBot;
import peer.state.Turn;
import peer.state.Waiting;
import tributary.log.v1.Contact.ContactCommand;
import tributary.log.v1.Conversation.ConversationWhat;
import tributary.log.v1.Conversation.HandOffReason;
import tributary.log.v1.Conversation.Received;
import tributary.log.v1.Desk.DeskCommand;
import tributary.log.v1.RecordOuterClass.Cause;
import tributary.log.v1.Values.Channel;
import tributary.log.v1.Values.ConversationId;
import tributary.log.v1.Values.Correspondent;
import tributary.log.v1.Values.TimerId;
import tributary.log.v1.Values.TurnId;

/**
 * What a customer's message brings about, and what a silent bot does: the rules of Tributary's conversation aggregate
 * (crates/domain/src/conversation), for these two inputs.
 */
final class Rules {
    private Rules() {}

    /** {@code before} is null for who never wrote. Null where the tenant has no such inbox. */
    static Decision receive(Policy policy, long now, ByteString fact, Received received, Customer before) {
        Correspondent from = received.getFrom();
        Policy.Inbox inbox = policy.inbox(from.getTenant(), from.getInbox());
        if (inbox == null) {
            return null;
        }
        Decision decision = Decision.ofFact(from.getTenant(), from.getInbox(), fact);
        Customer.Builder customer = before == null ? seen(decision, now, from) : before.toBuilder();
        boolean knew = customer.hasLatest();
        Latest.Builder latest = customer.getLatestBuilder();
        boolean open = knew && !latest.hasClosedAt();
        boolean engaged = false;
        if (!open) {
            engage(decision, policy, inbox, now, from, knew, latest);
            engaged = latest.hasBot();
        }
        ConversationId id = conversation(from.getParty(), latest.getNumber());
        decision.push(messageReceived(id, received));
        if (latest.hasBot()) {
            OwnedByBot.Builder owner = latest.getBotBuilder();
            if (engaged || !owner.hasTurn()) {
                ask(decision, inbox, now, id, latest, owner, received);
            } else {
                // A bot that is thinking is asked about this when it has answered.
                owner.getTurnBuilder()
                    .setNext(Waiting.newBuilder().setMessage(received.getMessage()).setContent(received.getContent()));
            }
        }
        decision.after = customer.build();
        return decision;
    }

    private static Customer.Builder seen(Decision decision, long now, Correspondent from) {
        decision.push(ConversationWhat.newBuilder()
            .setCustomerSeen(ConversationWhat.CustomerSeen.newBuilder().setFrom(from).setAt(now)).build());
        decision.toContacts = ContactCommand.newBuilder()
            .setSee(ContactCommand.See.newBuilder().setFrom(from).setAt(now)).build();
        return Customer.newBuilder()
            .setTenant(from.getTenant())
            .setInbox(from.getInbox())
            .setChannel(from.getChannel())
            .setAddress(from.getAddress());
    }

    /** A closed conversation goes on, or a new one begins; either way it gets its first owner. */
    private static void engage(
        Decision decision, Policy policy, Policy.Inbox inbox, long now, Correspondent from, boolean knew, Latest.Builder latest
    ) {
        if (knew && now - latest.getClosedAt() <= inbox.reopenWithinMs()) {
            decision.push(ConversationWhat.newBuilder().setReopened(ConversationWhat.Reopened.newBuilder()
                .setConversation(conversation(from.getParty(), latest.getNumber()))).build());
        } else {
            latest.setNumber(latest.getNumber() + 1).setOwnerEpoch(0).setTurns(0);
            decision.push(ConversationWhat.newBuilder().setOpened(ConversationWhat.Opened.newBuilder()
                .setConversation(conversation(from.getParty(), latest.getNumber()))
                .setPolicyVersion(policy.version())).build());
        }
        latest.setOwnerEpoch(latest.getOwnerEpoch() + 1);
        ConversationId id = conversation(from.getParty(), latest.getNumber());
        if (inbox.bot() == null) {
            latest.setQueue(inbox.queue());
            want(decision, now, id, from.getChannel(), latest.getOwnerEpoch(), inbox.queue(), HandOffReason.HAND_OFF_REASON_NO_BOT);
        } else {
            latest.setBot(OwnedByBot.newBuilder().setBot(inbox.bot()).setQueue(inbox.queue()));
            decision.push(ConversationWhat.newBuilder().setBotEngaged(ConversationWhat.BotEngaged.newBuilder()
                .setConversation(id)
                .setBot(inbox.bot())
                .setOwnerEpoch(latest.getOwnerEpoch())
                .setQueue(inbox.queue())).build());
        }
    }

    private static ConversationWhat messageReceived(ConversationId id, Received received) {
        var message = ConversationWhat.MessageReceived.newBuilder()
            .setConversation(id)
            .setMessage(received.getMessage())
            .setKind(received.getKind())
            .setContent(received.getContent())
            .setSentAt(received.getSentAt())
            .setAuthenticated(received.getAuthenticated());
        if (received.hasThread()) {
            message.setThread(received.getThread());
        }
        return ConversationWhat.newBuilder().setMessageReceived(message).build();
    }

    private static void ask(
        Decision decision, Policy.Inbox inbox, long now, ConversationId id, Latest.Builder latest, OwnedByBot.Builder owner,
        Received received
    ) {
        latest.setTurns(latest.getTurns() + 1);
        decision.turnNumber = latest.getTurns();
        decision.answerBy = now + inbox.answerWithinMs();
        TurnId turn = TurnId.newBuilder()
            .setConversation(id)
            .setOwnerEpoch(latest.getOwnerEpoch())
            .setNumber(latest.getTurns())
            .build();
        decision.push(ConversationWhat.newBuilder().setTurnAsked(ConversationWhat.TurnAsked.newBuilder()
            .setTurn(turn)
            .setBot(owner.getBot())
            .setContent(received.getContent())
            .setMessage(received.getMessage())
            .setAnswerBy(decision.answerBy)).build());
        owner.setTurn(Turn.newBuilder()
            .setNumber(latest.getTurns())
            .setMessage(received.getMessage())
            .setContent(received.getContent()));
    }

    /** The bot let its turn's time pass. Null where that turn is over. */
    static Decision silent(long now, ByteString party, Timer timer, Customer before) {
        if (before == null || !before.getLatest().hasBot()) {
            return null;
        }
        OwnedByBot owner = before.getLatest().getBot();
        if (before.getLatest().getNumber() != timer.conversation() || owner.getTurn().getNumber() != timer.turn()) {
            return null;
        }
        Customer.Builder customer = before.toBuilder();
        Latest.Builder latest = customer.getLatestBuilder();
        ConversationId id = conversation(party, latest.getNumber());
        Decision decision = Decision.ofTimer(before.getTenant(), before.getInbox(), Cause.Timer.newBuilder()
            .setDue(timer.due())
            .setId(TimerId.newBuilder().setBotSilent(id))
            .setGeneration(timer.turn())
            .build());
        latest.setOwnerEpoch(latest.getOwnerEpoch() + 1).setQueue(owner.getQueue());
        want(decision, now, id, before.getChannel(), latest.getOwnerEpoch(), owner.getQueue(),
            HandOffReason.HAND_OFF_REASON_BOT_SILENT);
        decision.after = customer.build();
        return decision;
    }

    private static void want(
        Decision decision, long now, ConversationId id, Channel channel, int ownerEpoch, String queue, HandOffReason reason
    ) {
        decision.push(ConversationWhat.newBuilder().setAgentWanted(ConversationWhat.AgentWanted.newBuilder()
            .setConversation(id)
            .setChannel(channel)
            .setQueue(queue)
            .setOwnerEpoch(ownerEpoch)
            .setReason(reason)
            .setSince(now)).build());
        decision.toDesk = DeskCommand.newBuilder().setEnqueue(DeskCommand.Enqueue.newBuilder()
            .setConversation(id)
            .setOwnerEpoch(ownerEpoch)
            .setChannel(channel)
            .setQueue(queue)
            .setSince(now)).build();
    }

    private static ConversationId conversation(ByteString party, int number) {
        return ConversationId.newBuilder().setParty(party).setNumber(number).build();
    }
}
