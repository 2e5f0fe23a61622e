import Foundation

/// Reproducible draws: the same seed and stream give the same numbers on every platform.
///
/// SplitMix64 (Steele, Lea, Flood 2014). Normal draws are made by arithmetic alone; logarithms, whose last bit differs
/// between platforms, only decide about them.
struct RandomSource: Sendable {
    private var state: UInt64

    private static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// Begins a stream of its own among those of a seed and a run.
    init(seed: UInt64, run: Int, stream: UInt64) {
        state = Self.mixed(Self.mixed(Self.mixed(seed) &+ UInt64(run)) &+ stream)
    }

    mutating func next() -> UInt64 {
        state &+= Self.increment
        return Self.mixed(state)
    }

    private static func mixed(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number in (0, 1).
    mutating func unit() -> Double { (Double(next() >> 11) + 0.5) * 0x1p-53 }

    /// A draw of the standard normal distribution: Leva's ratio of uniforms (ACM TOMS 18, 1992), algorithm 712, which
    /// needs a logarithm once in eighty draws.
    mutating func normal() -> Double {
        while true {
            let u = unit()
            let v = 1.7156 * (unit() - 0.5)
            let x = u - 0.449871
            let y = abs(v) + 0.386595
            let q = x * x + y * (0.19600 * y - 0.25472 * x)
            if q < 0.27597 || (q <= 0.27846 && v * v <= -4 * log(u) * u * u) { return v / u }
        }
    }

    /// A draw of the standard Gumbel distribution: the class of the largest logit plus Gumbel is distributed as
    /// softmax.
    mutating func gumbel() -> Double { -log(-log(unit())) }

    /// `count` of the values, every choice as likely.
    mutating func sample(_ count: Int, of values: Range<Int>) -> Set<Int> {
        let keyed = values.map { (key: next(), value: $0) }.sorted { ($0.key, $0.value) < ($1.key, $1.value) }
        return Set(keyed.prefix(count).map(\.value))
    }
}
