"""Customers of several lines, some before others, some of whom give up, served by equal servers: simulated by ciw.

    simulate.py LINES SERVERS SERVICE SEED CUSTOMERS

LINES      one or more `PRIORITY:RATE:PATIENCE`, separated by commas: a higher priority goes first; customers a second; the
           mean time in seconds after which one gives up, or `-` where nobody does
SERVERS    how many there are
SERVICE    the mean time of service in seconds
SEED       of the dice
CUSTOMERS  how many are counted, after a beginning of a tenth of them

Times between customers, of service and of patience are exponential. Prints, for each line, what was measured in each of 20
equal batches of customers, by when they came: `LINE BATCH CUSTOMERS GAVE_UP WAITED`, where WAITED is the mean waiting time
of the served in seconds.
"""

import sys

import ciw

BATCHES = 20


def main(lines, servers, service, seed, customers):
    lines = [line.split(":") for line in lines.split(",")]
    names = [f"line {number}" for number in range(len(lines))]
    # A lower class goes first in ciw.
    order = sorted({int(priority) for priority, _, _ in lines}, reverse=True)
    classes = {name: order.index(int(line[0])) for name, line in zip(names, lines)}
    each = lambda make: {name: [make(line)] for name, line in zip(names, lines)}
    patience = lambda line: None if line[2] == "-" else ciw.dists.Exponential(rate=1.0 / float(line[2]))
    network = ciw.create_network(
        arrival_distributions=each(lambda line: ciw.dists.Exponential(rate=float(line[1]))),
        service_distributions=each(lambda line: ciw.dists.Exponential(rate=1.0 / float(service))),
        reneging_time_distributions=each(patience),
        number_of_servers=[int(servers)],
        priority_classes=classes,
    )
    ciw.seed(int(seed))
    simulation = ciw.Simulation(network)
    beginning = int(customers) // 10
    wanted = beginning + int(customers)
    # Those who come last are still there when it ends: they are simulated beyond what is counted.
    simulation.simulate_until_max_customers(wanted + wanted // 20, method="Arrive")
    records = [record for record in simulation.get_all_records() if record.record_type in ("service", "renege")]
    records.sort(key=lambda record: record.arrival_date)
    counted = records[beginning:wanted]
    size = len(counted) // BATCHES
    for number, name in enumerate(names):
        for batch in range(BATCHES):
            of_line = [r for r in counted[batch * size : (batch + 1) * size] if r.customer_class == name]
            served = [record.waiting_time for record in of_line if record.record_type == "service"]
            gave_up = len(of_line) - len(served)
            mean = sum(served) / len(served) if served else 0.0
            print(number, batch, len(of_line), gave_up, f"{mean:.6f}")


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
