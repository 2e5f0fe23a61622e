import CForestKernels

/// The Gauss-Legendre rules on [0, 1] with 1, 2, 3 ... points; n points integrate polynomials of degree 2n - 1 exactly.
///
/// Points are found by bisection with the four basic operations alone, so that they are the same on every platform.
struct GaussLegendre: Sendable {
    /// All rules' points, one rule after another.
    private(set) var points: [Double] = []
    /// The weights of the points; a rule's sum to one.
    private(set) var weights: [Double] = []

    /// Where the rule of some points starts.
    static func start(ofRule count: Int) -> Int { count * (count - 1) / 2 }

    /// The rules for leaves of up to so many players.
    init(upToPlayers count: Int) { self.init(upTo: (count + 1) / 2) }

    /// The rules with up to `count` points.
    init(upTo count: Int) {
        var roots: [Double] = []
        for degree in stride(from: 1, through: count, by: 1) {
            // The roots of one degree part those of the next.
            let bounds = [-1] + roots + [1]
            // Above the largest root a polynomial is positive, and its sign changes at each root.
            roots = (0..<degree).map {
                Self.root(degree, between: bounds[$0], and: bounds[$0 + 1], rising: (degree - $0) % 2 == 1)
            }
            for root in roots {
                let (_, before) = Self.legendre(degree, at: root)
                points.append((1 + root) / 2)
                // 2 (1 - x^2) / (n P(n-1))^2 on [-1, 1], and half of it on [0, 1].
                weights.append((1 - root * root) / (Double(degree) * before * Double(degree) * before))
            }
        }
    }

    /// Calls `body` with the rule for a leaf's players; not without players, since nothing is to be integrated.
    func withRule(ofPlayers playerCount: Int, _ body: (UnsafePointer<cfk_quadrature>) -> Void) {
        let count = (playerCount + 1) / 2
        points.withUnsafeBufferPointer { points in
            weights.withUnsafeBufferPointer { weights in
                guard count > 0, let points = points.baseAddress, let weights = weights.baseAddress else { return }
                let start = Self.start(ofRule: count)
                var rule = cfk_quadrature(points: points + start, weights: weights + start, count: count)
                withUnsafePointer(to: &rule, body)
            }
        }
    }

    /// The Legendre polynomials of a degree and of the one below.
    private static func legendre(_ degree: Int, at x: Double) -> (value: Double, before: Double) {
        var (value, before) = (x, 1.0)
        for n in stride(from: 1, to: degree, by: 1) {
            (value, before) = ((Double(2 * n + 1) * x * value - Double(n) * before) / Double(n + 1), value)
        }
        return (value, before)
    }

    private static func root(_ degree: Int, between first: Double, and last: Double, rising: Bool) -> Double {
        var (low, high) = (first, last)
        while true {
            let middle = (low + high) / 2
            let value = legendre(degree, at: middle).value
            guard low < middle, middle < high, value != 0 else { return middle }
            if (value < 0) == rising { low = middle } else { high = middle }
        }
    }
}
