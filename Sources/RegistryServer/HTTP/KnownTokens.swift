import EnsembleModel
import Logging
import RegistryStore
import ServiceLifecycle
import Synchronization

/// The tokens used lately, so that ten thousand nodes do not ask the database with every poll who they are.
///
/// A token never changes but by being revoked, so what is known holds until any is. How many are is looked up every
/// ``DaemonLimits/tokenCheck``; when it cannot be, nothing is known.
final class KnownTokens: Service {
    private struct State {
        /// By SHA-256 of the secret.
        var tokens: [ContentDigest: TokenRecord] = [:]
        /// Tokens revoked so far; nil when that is not known.
        var revocations: Int?
        var checkedAt: ContinuousClock.Instant?
    }

    private let store: RegistryStore
    private let limits: DaemonLimits
    private let state = Mutex(State())

    init(store: RegistryStore, limits: DaemonLimits) {
        self.store = store
        self.limits = limits
    }

    /// The token of a secret; nil when there is none, or it is revoked.
    func token(secret: String) async throws -> TokenRecord? {
        let digest = ContentDigest.of(Array(secret.utf8))
        let (known, revocations) = lookUp(digest)
        if let known { return known }
        guard let token = try await store.authenticate(secret: secret) else { return nil }
        state.withLock { state in
            // Otherwise this very token may have been revoked since it was looked up.
            guard let revocations, state.revocations == revocations else { return }
            if state.tokens.count >= limits.knownTokens { state.tokens = [:] }
            state.tokens[digest] = token
        }
        return token
    }

    /// The token of a secret that was used lately; nil when the database has to be asked.
    func known(secret: String) -> TokenRecord? { lookUp(ContentDigest.of(Array(secret.utf8))).token }

    private func lookUp(_ digest: ContentDigest) -> (token: TokenRecord?, revocations: Int?) {
        state.withLock { state in
            guard let checkedAt = state.checkedAt, .now - checkedAt <= limits.tokenCheck * 2 else { return (nil, nil) }
            return (state.tokens[digest], state.revocations)
        }
    }

    /// Looks every token up again, since one was revoked here.
    func forget() { state.withLock { $0 = State() } }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                // Without an answer every token is looked up, and told of if that fails too.
                let (asked, revocations) = (ContinuousClock.now, try? await self.store.revocationCount())
                self.state.withLock { state in
                    if revocations == nil || revocations != state.revocations { state.tokens = [:] }
                    state.revocations = revocations
                    state.checkedAt = revocations.map { _ in asked }
                }
                try? await Task.sleep(for: self.limits.tokenCheck)  // Throws only when cancelled.
            }
        }
    }
}
