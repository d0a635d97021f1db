package peer;

import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.WriteBufferManager;

/** One bound for the memory of all stores together, as Kafka's documentation advises for many stores in one process. */
public final class Rocks implements RocksDBConfigSetter {
    private static final long CACHE = Long.getLong("peer.rocksdb.cache", 128L << 20);
    private static final long WRITE_BUFFERS = Long.getLong("peer.rocksdb.writes", 96L << 20);
    private static final Cache SHARED = new LRUCache(CACHE);
    private static final WriteBufferManager WRITES = new WriteBufferManager(WRITE_BUFFERS, SHARED);

    @Override
    public void setConfig(String store, Options options, Map<String, Object> configs) {
        var table = (BlockBasedTableConfig) options.tableFormatConfig();
        table.setBlockCache(SHARED);
        table.setCacheIndexAndFilterBlocks(true);
        table.setPinTopLevelIndexAndFilter(true);
        options.setTableFormatConfig(table);
        options.setWriteBufferManager(WRITES);
    }

    @Override
    public void close(String store, Options options) {
        // What is shared lives as long as the process.
    }
}
