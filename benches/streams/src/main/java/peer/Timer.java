package peer;

import java.nio.ByteBuffer;
import org.apache.kafka.common.utils.Bytes;

/** When a bot's turn ends unanswered, as a key of the store of timers: in the order in which they are due. */
record Timer(long due, byte[] party, int conversation, int turn) {
    private static final int PARTY = 16;

    Bytes key() {
        var key = ByteBuffer.allocate(Long.BYTES + PARTY + 2 * Integer.BYTES);
        return Bytes.wrap(key.putLong(due).put(party).putInt(conversation).putInt(turn).array());
    }

    static Timer of(Bytes key) {
        var buffer = ByteBuffer.wrap(key.get());
        long due = buffer.getLong();
        byte[] party = new byte[PARTY];
        buffer.get(party);
        return new Timer(due, party, buffer.getInt(), buffer.getInt());
    }

    /** Below every timer that is due later. */
    static Bytes upTo(long now) {
        return Bytes.wrap(ByteBuffer.allocate(Long.BYTES).putLong(now + 1).array());
    }
}
