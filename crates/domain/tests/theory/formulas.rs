//! Erlang's formula for waiting (M/M/c), and Cobham's for priorities that do not interrupt.

/// Customers a second, how long each takes, and how many serve them.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) per_second: f64,
    pub(crate) seconds: f64,
    pub(crate) agents: u32,
}

impl Load {
    /// How many agents are busy on average.
    fn offered(self) -> f64 {
        self.per_second * self.seconds
    }

    /// Erlang C, by way of the recursion for Erlang B, which stays within the range of numbers.
    pub(crate) fn probability_of_waiting(self) -> f64 {
        let offered = self.offered();
        let blocked = (1..=self.agents)
            .fold(1.0, |blocked, agents| offered * blocked / (f64::from(agents) + offered * blocked));
        let agents = f64::from(self.agents);
        agents * blocked / (agents - offered * (1.0 - blocked))
    }

    pub(crate) fn mean_wait(self) -> f64 {
        self.probability_of_waiting() * self.seconds / (f64::from(self.agents) - self.offered())
    }

    pub(crate) fn served_within(self, seconds: f64) -> f64 {
        let pace = (f64::from(self.agents) - self.offered()) / self.seconds;
        1.0 - self.probability_of_waiting() * (-pace * seconds).exp()
    }

    /// Of two kinds of customers, the first of whom goes first; `shares` of all are of each kind.
    pub(crate) fn mean_waits_by_priority(self, shares: [f64; 2]) -> [f64; 2] {
        let agents = f64::from(self.agents);
        let first = self.offered() * shares[0] / agents;
        let all = self.offered() * (shares[0] + shares[1]) / agents;
        let base = self.probability_of_waiting() * self.seconds / agents;
        [base / (1.0 - first), base / ((1.0 - first) * (1.0 - all))]
    }
}
