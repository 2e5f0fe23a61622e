/// The ensemble of a stream as it is now: the starting champion's logits and the parts that joined.
struct Champion {
    /// What a promoted submission added.
    enum Part {
        /// An improvement of the world, by its index.
        case improvement(Int)
        /// Noise on the validation rows.
        case useless([Double])

        /// One team, and one adversary: quotas are each submitter's own.
        var submitter: String {
            if case .improvement = self { "team" } else { "adversary" }
        }
    }

    private let world: World
    private(set) var logits: [Double]
    /// Loss of each validation row, in nats.
    private(set) var losses: [Double]
    private var parts: [Int: Part] = [:]

    init(_ world: World) {
        self.world = world
        logits = world.rows.logits
        losses = world.rows.losses(logits)
    }

    mutating func promote(_ part: Part, at position: Int, leaving: [Int]) {
        for left in leaving {
            if let part = parts.removeValue(forKey: left) { logits.add(change(part), times: -1) }
        }
        parts[position] = part
        logits.add(change(part))
        losses = world.rows.losses(logits)
    }

    private func change(_ part: Part) -> [Double] {
        switch part {
        case .improvement(let index): world.improvements[index].change
        case .useless(let change): change
        }
    }

    /// By how much the loss on fresh rows is lower than at the start, in nats. On them useless parts are noise of the
    /// variance that they have together.
    func freshGain(_ random: inout RandomSource) -> Double {
        let fresh = world.fresh
        var (changed, noise) = (fresh.logits, [Double](repeating: 0, count: logits.count))
        for (_, part) in parts.sorted(by: { $0.key < $1.key }) {
            switch part {
            case .improvement(let index): changed.add(world.improvements[index].freshChange)
            case .useless(let change): noise.add(change)
            }
        }
        let variance = noise.reduce(0) { $0 + $1 * $1 } / Double(noise.count)
        if variance > 0 { changed.add(fresh.layout.noise(scale: variance.squareRoot(), &random)) }
        return fresh.meanLoss(fresh.logits) - fresh.meanLoss(changed)
    }
}
