import CForestKernels

/// The instruction sets that the kernels are compiled for; results do not depend on the one that is used.
package enum Instructions: String, CaseIterable, Sendable {
    case portable
    case avx2
    case avx512

    /// The widest set that this machine has.
    package static let widest = allCases.last { $0.code == cfk_widest() } ?? .portable

    /// The sets that this machine has, the widest last.
    package static let available = allCases.filter { $0.code.rawValue <= widest.code.rawValue }

    var code: cfk_instructions {
        switch self {
        case .portable: CFK_PORTABLE
        case .avx2: CFK_AVX2
        case .avx512: CFK_AVX512
        }
    }
}
