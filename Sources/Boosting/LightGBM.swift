import CLightGBM
public import EnsembleModel
import Foundation

/// LightGBM's shared library, loaded at run time.
///
/// Several threads may use one library at once, each with data sets and boosters of its own.
public final class LightGBM: Sendable {
    /// The file that was loaded.
    public let path: String
    /// SHA-256 of that file; recorded beside the evidence.
    public let sha256: ContentDigest
    /// The release, e.g. `4.7.0`; `unrecognised` for a build whose digest is not known here, since the C API does not
    /// tell.
    public let version: String
    let functions: clgbm_functions

    /// Digests of the libraries in the wheels on PyPI.
    private static let releases = [
        // lightgbm-4.7.0, manylinux x86_64
        "573d57e8a2c6290c2271b99b87afa7a802e796eafc9e8d66aefa0913cbc1616a": "4.7.0"
    ]

    /// Whether `OMP_WAIT_POLICY=PASSIVE` is in the environment of this process.
    ///
    /// LightGBM's OpenMP threads otherwise spin while they wait, which on busy cores made training 15 to 30 times
    /// slower. The OpenMP run-time reads its environment when it is loaded, so a worker re-executes itself with the
    /// variable set.
    public static var environmentIsReady: Bool {
        ProcessInfo.processInfo.environment["OMP_WAIT_POLICY"]?.uppercased() == "PASSIVE"
    }

    /// Loads the library.
    ///
    /// - Parameter path: the file to load; otherwise `$LIGHTGBM_LIBRARY`, otherwise where `deploy/setup` puts it:
    ///   `/usr/local/lib/ensemble-registry` or `~/.local/lib/ensemble-registry`.
    /// - Throws: ``BoostingError`` with code `libraryMissing`, `libraryUnusable` or `environmentNotReady`.
    public static func load(path: String? = nil) throws(BoostingError) -> LightGBM {
        guard environmentIsReady else {
            throw BoostingError(
                .environmentNotReady,
                "training needs OMP_WAIT_POLICY=PASSIVE in the environment; set it before the program starts")
        }
        return try loadUnprepared(path: path)
    }

    /// Makes sure that ``load(path:)`` will find a usable library, in a process that does not train itself.
    ///
    /// - Throws: ``BoostingError`` with code `libraryMissing` or `libraryUnusable`.
    public static func check(path: String? = nil) throws(BoostingError) {
        _ = try loadUnprepared(path: path)
    }

    private static func loadUnprepared(path: String?) throws(BoostingError) -> LightGBM {
        let candidates = candidates(path: path, environment: ProcessInfo.processInfo.environment)
        guard let found = candidates.first(where: FileManager.default.fileExists(atPath:)) else {
            throw BoostingError(
                .libraryMissing,
                "LightGBM's library is not at \(candidates.joined(separator: " nor at ")); "
                    + "run deploy/setup, or name it in LIGHTGBM_LIBRARY")
        }
        return try LightGBM(loading: found)
    }

    static func candidates(path: String?, environment: [String: String]) -> [String] {
        if let path { return [path] }
        if let named = environment["LIGHTGBM_LIBRARY"], !named.isEmpty { return [named] }
        var folders = ["/usr/local"]
        if let home = environment["HOME"], !home.isEmpty { folders.append("\(home)/.local") }
        return folders.map { "\($0)/lib/ensemble-registry/lib_lightgbm.so" }
    }

    private init(loading path: String) throws(BoostingError) {
        do {
            sha256 = try .of(Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe))
        } catch {
            throw BoostingError(.libraryUnusable, "LightGBM's library \(path) cannot be read", cause: error)
        }
        var reason = [CChar](repeating: 0, count: 1024)
        guard let functions = clgbm_load(path, &reason, reason.count) else {
            let text = String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw BoostingError(.libraryUnusable, "\(path) is not a usable LightGBM library: \(text); run deploy/setup")
        }
        self.path = path
        self.functions = functions.pointee
        version = Self.releases[sha256.hex] ?? "unrecognised"
    }

    /// Calls a function that returns 0 on success.
    func check(_ doing: String, _ status: Int32) throws(BoostingError) {
        guard status == 0 else {
            throw BoostingError(.trainingFailed, "LightGBM failed \(doing): \(String(cString: functions.last_error()))")
        }
    }

    /// Calls a function that returns 0 on success and gives out a handle.
    func handle(
        _ doing: String, _ create: (inout UnsafeMutableRawPointer?) -> Int32
    ) throws(BoostingError) -> UnsafeMutableRawPointer {
        var handle: UnsafeMutableRawPointer?
        try check(doing, create(&handle))
        guard let handle else { throw BoostingError(.trainingFailed, "LightGBM gave no handle \(doing)") }
        return handle
    }
}
