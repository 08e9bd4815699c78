// What a user of viem does, against any node: node viem_client.mjs URL KEY OTHER_KEY ARTIFACTS given|asked
// The last says whether fees are given, as zero, or left to viem, which asks the node for them.
// Prints one JSON object: what came out of each step. Hashes and times are left out: they are each node's own.

import {
  BaseError, ContractFunctionRevertedError, createPublicClient, createTestClient, createWalletClient, defineChain, http,
  keccak256, parseEther, toHex, verifyMessage, webSocket,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const [url, key, otherKey, artifacts, fees] = process.argv.slice(2)
const chain = defineChain({
  id: 7327, name: 'CARAT', nativeCurrency: { name: 'none', symbol: 'NONE', decimals: 18 },
  rpcUrls: { default: { http: [url] } },
})
const account = privateKeyToAccount(key)
const other = privateKeyToAccount(otherKey)
const transport = http(url, { batch: true })
const reader = createPublicClient({ chain, transport, pollingInterval: 50 })
const wallet = createWalletClient({ account, chain, transport })
const tester = createTestClient({ chain, transport, mode: 'ganache' })
const listener = createPublicClient({ chain, transport: webSocket(url.replace('http', 'ws')) })

const artifact = (name) => JSON.parse(readFileSync(join(artifacts, `${name}.json`), 'utf8'))
const report = {}
const mined = async (hash) => reader.waitForTransactionReceipt({ hash })
const refusal = async (act) => {
  try {
    await act()
  } catch (error) {
    const reverted = error instanceof BaseError && error.walk((each) => each instanceof ContractFunctionRevertedError)
    if (reverted) return { name: reverted.data?.errorName, facts: reverted.data?.args?.map(String) }
    return { kind: error.walk ? error.walk().name : error.name }
  }
  return 'not refused'
}
const shown = (receipt) => ({
  status: receipt.status, type: receipt.type, gasUsed: receipt.gasUsed, logs: receipt.logs.length,
  block: receipt.blockNumber, from: receipt.from, to: receipt.to, created: receipt.contractAddress,
  index: receipt.transactionIndex,
})

// The chain and its accounts
report.chain = await reader.getChainId()
report.height = await reader.getBlockNumber()
report.balance = await reader.getBalance({ address: account.address })
report.fees = await reader.estimateFeesPerGas({ type: 'legacy' })
const genesis = await reader.getBlock({ blockNumber: 0n })
report.genesis = [genesis.number, genesis.transactions.length, genesis.baseFeePerGas, genesis.gasLimit]

// Transfers of each type, signed here
const free = fees === 'given' ? { gasPrice: 0n } : {}
const noFee = fees === 'given' ? { maxFeePerGas: 0n, maxPriorityFeePerGas: 0n } : {}
const accessList = [{ address: other.address, storageKeys: [toHex(1n, { size: 32 })] }]
report.transfers = []
for (const fields of [{ type: 'legacy', ...free }, { type: 'eip2930', ...free, accessList }, { type: 'eip1559', ...noFee }]) {
  const hash = await wallet.sendTransaction({ to: other.address, value: parseEther('1'), ...fields })
  const receipt = await mined(hash)
  const sent = await reader.getTransaction({ hash })
  report.transfers.push([shown(receipt), sent.type, sent.nonce, sent.value, sent.accessList ?? null, sent.gas])
}
report.otherBalance = await reader.getBalance({ address: other.address })

// Contracts: deploy, simulate, write, read
const deploy = async (name, args) => {
  const { abi, bytecode } = artifact(name)
  const receipt = await mined(await wallet.deployContract({ abi, bytecode, args, ...noFee }))
  return { abi, address: receipt.contractAddress, receipt }
}
const manager = await deploy('AccessManager', [account.address])
const nobody = '0x000000000000000000000000000000000000dEaD'
const cash = await deploy('SettlementCash', [manager.address, other.address])
report.deployed = [shown(manager.receipt), shown(cash.receipt)]
const mint = (amount, id) => ({ ...cash, functionName: 'mint', args: [[{ to: account.address, amountFen: amount }], id] })
const requestId = keccak256(toHex('request 1'))
report.unauthorized = await refusal(() => reader.simulateContract({ ...mint(500n, requestId), account: other }))
const selector = toHex(Uint8Array.from(Buffer.from(keccak256(toHex('mint((address,uint256)[],bytes32)')).slice(2, 10), 'hex')))
await mined(await wallet.writeContract({
  ...manager, functionName: 'setTargetFunctionRole', args: [cash.address, [selector], 3n], ...noFee,
}))
await mined(await wallet.writeContract({ ...manager, functionName: 'grantRole', args: [3n, account.address, 0], ...noFee }))

// Watching, over WebSocket and by polling, while something happens
const seen = { socket: [], polled: [], heads: [] }
const unwatch = [
  listener.watchContractEvent({ ...cash, eventName: 'Transfer', onLogs: (logs) => seen.socket.push(...logs) }),
  reader.watchContractEvent({ ...cash, eventName: 'Transfer', onLogs: (logs) => seen.polled.push(...logs) }),
  listener.watchBlocks({ onBlock: (block) => seen.heads.push(block.number) }),
]
await new Promise((resolve) => setTimeout(resolve, 300))
const { request } = await reader.simulateContract({ ...mint(500n, requestId), account })
report.mint = shown(await mined(await wallet.writeContract({ ...request, ...noFee })))
report.retry = shown(await mined(await wallet.writeContract({ ...mint(500n, requestId), ...noFee })))
report.transfer = shown(await mined(await wallet.writeContract({
  ...cash, functionName: 'transfer', args: [other.address, 120n], ...noFee,
})))
report.held = await Promise.all([account, other].map(({ address }) => (
  reader.readContract({ ...cash, functionName: 'balanceOf', args: [address] }))))
report.supply = await reader.readContract({ ...cash, functionName: 'totalSupply' })
report.refused = await refusal(() => reader.simulateContract({
  ...cash, functionName: 'transfer', args: [nobody, 10_000n], account,
}))
const failing = { ...cash, functionName: 'transfer', args: [nobody, 10_000n], gas: 200_000n, ...noFee }
report.mined = shown(await mined(await wallet.writeContract(failing)))
const sending = { ...cash, functionName: 'transfer', args: [other.address, 1n], account, ...noFee }
report.gas = (await reader.estimateContractGas(sending)) > 21_000n
for (let tries = 0; tries < 100 && (seen.socket.length < 2 || seen.polled.length < 2); tries += 1) {
  await new Promise((resolve) => setTimeout(resolve, 50))
}
unwatch.forEach((stop) => stop())
const event = (log) => [log.eventName, log.args, log.blockNumber, log.logIndex]
report.watched = { socket: seen.socket.map(event), polled: seen.polled.map(event), heads: seen.heads.length >= 3 }
report.events = (await reader.getContractEvents({ ...cash, eventName: 'Transfer', fromBlock: 0n })).map(event)
report.filtered = (await reader.getContractEvents({
  ...cash, eventName: 'Transfer', fromBlock: 0n, args: { to: other.address },
})).map(event)

// What else a reader asks
const proof = await reader.getProof({ address: cash.address, storageKeys: [toHex(0n, { size: 32 })] })
report.proof = [proof.address, proof.nonce, proof.codeHash, proof.storageProof.length]
report.code = keccak256(await reader.getCode({ address: cash.address }))
report.counts = [
  await reader.getTransactionCount({ address: account.address }),
  await reader.getBlockTransactionCount({ blockNumber: 1n }),
]
const history = await reader.getFeeHistory({ blockCount: 2, rewardPercentiles: [50] })
report.history = [history.baseFeePerGas.length, history.baseFeePerGas[0], history.reward.length]
report.missing = await refusal(() => reader.getTransaction({ hash: requestId }))
report.overridden = await reader.call({
  to: nobody, data: '0x', stateOverride: [{ address: nobody, code: '0x602a5f5260205ff3' }],
})
const signature = await wallet.signMessage({ message: 'CARAT' })
report.signature = await verifyMessage({ address: account.address, message: 'CARAT', signature })

// Time and snapshots of a test network
const snapshot = await tester.snapshot()
const before = await reader.getBlock()
await tester.setNextBlockTimestamp({ timestamp: before.timestamp + 1_000n })
await wallet.sendTransaction({ to: other.address, value: 1n, ...noFee }).then(mined)
const after = await reader.getBlock()
report.time = [after.number - before.number, after.timestamp - before.timestamp]
await tester.revert({ id: snapshot })
report.reverted = (await reader.getBlockNumber({ cacheTime: 0 })) === before.number

process.stdout.write(JSON.stringify(report, (_, value) => (typeof value === 'bigint' ? value.toString() : value)))
process.exit(0)
