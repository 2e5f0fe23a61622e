/// What the submissions of a run are played on: a validation set that is looked at over and over, fresh rows that
/// nobody sees, and challengers that are truly better on both.
struct World: Sendable {
    /// A change of the champion's logits for the better.
    struct Improvement: Sendable {
        /// Index of its kind in ``World/trueGains``.
        let kind: Int
        let change: [Double]
        let freshChange: [Double]
    }

    let rows: Rows
    let fresh: Rows
    /// Whether each row is open under the product's own split.
    let isOpen: [Bool]
    /// In order of submission.
    let improvements: [Improvement]
    /// The gain on fresh rows of each kind of improvement, as a share of the starting champion's loss there.
    let trueGains: [Double]

    init(_ rows: Rows, fresh: Rows, isOpen: [Bool], improvements: [Improvement], kinds: Int) {
        self.rows = rows
        self.fresh = fresh
        self.isOpen = isOpen
        self.improvements = improvements
        let loss = fresh.meanLoss(fresh.logits)
        var gains = [[Double]](repeating: [], count: kinds)
        for improvement in improvements {
            gains[improvement.kind].append(1 - fresh.meanLoss(fresh.logits.adding(improvement.freshChange)) / loss)
        }
        trueGains = gains.map(\.mean)
    }
}
