import EnsembleModel

/// The published rule as far as it can be played without refitting a combiner.
///
/// The ensemble's logits are a sum here, and in a sum a member's Shapley value in a row is exactly its own part minus
/// that part's mean. So contributions are exact, and only the combiner's weighing is left out, which is kinder to
/// useless challengers than a refit is. Newcomers compete with each other for the budget's places; the founders,
/// whose parts the champion's logits do not tell apart, hold none of them. The mean absolute contribution of pure
/// noise is positive: it is kept while there is room, and after that whenever it is the larger noise. Gains are
/// shown, since the rule seals nothing.
struct TopKPlay: RulePlay {
    let places: Int
    /// The newcomers kept, with their mean absolute contributions.
    private var kept: [(position: Int, contribution: Double)] = []

    init(places: Int) { self.places = places }

    mutating func judge(_ trial: Trial) -> Ruling {
        let contribution = Self.contribution(trial.change, classCount: trial.world.rows.layout.classCount)
        let ranked = (kept + [(trial.position, contribution)])
            .sorted { ($1.contribution, $0.position) < ($0.contribution, $1.position) }
        var ruling = Ruling(isPromoted: false, score: trial.gain().mean)
        ruling.isPromoted = ranked.prefix(places).contains { $0.position == trial.position }
        guard ruling.isPromoted else { return ruling }
        ruling.leaving = ranked.dropFirst(places).map(\.position)
        kept = Array(ranked.prefix(places))
        return ruling
    }

    /// Mean over rows of the sum over classes of what a change of the logits contributes, as an absolute.
    private static func contribution(_ change: [Double], classCount: Int) -> Double {
        let rowCount = Double(change.count / classCount)
        var means = [Double](repeating: 0, count: classCount)
        for index in change.indices { means[index % classCount] += change[index] / rowCount }
        return change.indices.reduce(0) { $0 + abs(change[$1] - means[$1 % classCount]) } / rowCount
    }
}
