package peer;

import java.util.Map;

/** What the business is, as far as a customer's message asks for it; held in memory, as the router holds its policies. */
record Policy(long version, Map<Endpoint, Inbox> inboxes) {
    record Endpoint(String tenant, String inbox) {}

    /** {@code bot} is null where people answer at once. */
    record Inbox(String bot, long answerWithinMs, String queue, long reopenWithinMs) {}

    private static final long MINUTE = 60_000;
    private static final Inbox INBOX = new Inbox("greeter", 10 * MINUTE, "acme/support/general", 24 * 60 * MINUTE);

    /** The workspace that benches/kafka puts in force for the router. */
    static Policy ofTheBench() {
        return new Policy(1, Map.of(new Endpoint("acme", "sms"), INBOX));
    }

    Inbox inbox(String tenant, String inbox) {
        return inboxes.get(new Endpoint(tenant, inbox));
    }
}
