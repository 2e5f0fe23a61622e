import Foundation

/// The standard normal distribution.
public enum Normal {
    /// P(Z > z).
    public static func upperTail(_ z: Double) -> Double { erfc(z / 2.0.squareRoot()) / 2 }

    /// The z with P(Z > z) = p.
    ///
    /// - Parameter p: in (0, 1).
    public static func upperQuantile(_ p: Double) -> Double {
        guard p <= 0.5 else { return -upperQuantile(1 - p) }
        // Abramowitz and Stegun 26.2.23 (error 4.5e-4), then Halley's method, which triples the digits each time.
        let t = (-2 * log(p)).squareRoot()
        var z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
        for _ in 0..<3 {
            let density = exp(-z * z / 2) / (2 * Double.pi).squareRoot()
            let step = (upperTail(z) - p) / density
            z += step / (1 - z * step / 2)
        }
        return z
    }
}

/// Student's t distribution.
public struct StudentT: Sendable {
    /// Degrees of freedom, at least 1.
    public let degrees: Int

    /// The distribution of some degrees of freedom.
    public init(degrees: Int) { self.degrees = degrees }

    private var half: Double { Double(degrees) / 2 }

    /// P(T > t), for t >= 0.
    public func upperTail(_ t: Double) -> Double {
        // Half of I_x(degrees / 2, 1 / 2) at x = 1 / (1 + t^2 / degrees).
        let ratio = t * t / Double(degrees)
        let (x, rest) = (1 / (1 + ratio), ratio / (1 + ratio))
        let front = exp(logGammaRatio - half * log1p(ratio)) * (rest / Double.pi).squareRoot()
        return x < (half + 1) / (half + 2.5)
            ? front * Self.continuedFraction(half, 0.5, x) / half / 2
            : 0.5 - front * Self.continuedFraction(0.5, half, rest)
    }

    /// The t with P(T > t) = p.
    ///
    /// Newton's method on the logarithm of the tail, which is concave there, kept inside a bracket.
    ///
    /// - Parameter p: in (0, 0.5].
    public func upperQuantile(_ p: Double) -> Double {
        var low = 0.0
        var high = 1.0
        while upperTail(high) > p { (low, high) = (high, high * 2) }
        var t = min(max(Normal.upperQuantile(p), low), high)
        for _ in 0..<Self.maximumSteps {
            let tail = upperTail(t)
            if tail > p { low = t } else { high = t }
            var next = t + log(tail / p) * tail / density(t)
            if !(low...high).contains(next) { next = (low + high) / 2 }
            if abs(next - t) <= 4 * t.ulp { return next }
            t = next
        }
        return t
    }

    private static let maximumSteps = 200

    private func density(_ t: Double) -> Double {
        exp(logGammaRatio - (half + 0.5) * log1p(t * t / Double(degrees))) / (Double(degrees) * Double.pi).squareRoot()
    }

    /// ln(gamma(a + 1/2) / gamma(a)) at a = degrees / 2; by its series where the difference of two large logarithms
    /// would lose digits.
    private var logGammaRatio: Double {
        guard half >= 40 else { return lgamma(half + 0.5) - lgamma(half) }
        let r = 1 / half
        return log(half) / 2 - r / 8 + r * r * r * (1.0 / 192 - r * r / 640)
    }

    /// The continued fraction of the incomplete beta function by Lentz's method (DLMF 8.17.22).
    private static func continuedFraction(_ a: Double, _ b: Double, _ x: Double) -> Double {
        let tiny = 1e-300
        func kept(_ value: Double) -> Double { abs(value) < tiny ? tiny : value }
        var c = 1.0
        var d = 1 / kept(1 - (a + b) * x / (a + 1))
        var result = d
        for m in 1...10_000 {
            let m = Double(m)
            let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            d = 1 / kept(1 + even * d)
            c = kept(1 + even / c)
            result *= d * c
            let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            d = 1 / kept(1 + odd * d)
            c = kept(1 + odd / c)
            let change = d * c
            result *= change
            if abs(change - 1) < 1e-16 { break }
        }
        return result
    }
}
