/// A submitter who knows nothing about the task and climbs on the scores shown.
///
/// Nearly every submission is a probe, the champion's logits plus random noise. Every tenth adds up all probes so far,
/// each with the sign of its score (Blum and Hardt 2015, the attack on leaderboards): where scores are of the rows that
/// decide, the sum is better on those rows and worse on all others.
struct Adversary: Sendable {
    private static let period = 10
    private static let fewestProbes = 4

    private var combination: [Double]
    private var probes = 0

    init(valueCount: Int) { combination = Array(repeating: 0, count: valueCount) }

    /// A direction of variance 1 to submit at a position of the stream.
    func direction(at position: Int, noise: () -> [Double]) -> [Double] {
        guard position % Self.period == Self.period - 1, probes >= Self.fewestProbes else { return noise() }
        let mean = combination.mean
        let variance = combination.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(combination.count)
        guard variance > 0 else { return noise() }
        let scale = 1 / variance.squareRoot()
        return combination.map { $0 * scale }
    }

    /// Learns the score of a direction.
    mutating func learn(_ direction: [Double], score: Double) {
        probes += 1
        if score != 0 { combination.add(direction, times: score > 0 ? 1 : -1) }
    }
}
