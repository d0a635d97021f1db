package peer;

/** Where it reads and writes. They must be there: nothing is created but Streams' own changelogs. */
record Topics(String intake, String decisions, String contacts, String desks) {}
