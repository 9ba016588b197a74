--
-- PostgreSQL database dump
--


-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Data for Name: access; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.access (level, role) FROM stdin;
writer	release_alice
writer	release_bob
auditor	release_auditor
admin	release_admin
\.


--
-- Data for Name: cell; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.cell (run_id, scope, key, ordinal, version, revision, value, hash) FROM stdin;
recorded	engine	execution_stack	0	1	1	[]	\\xd53d18c23212ea7b6300594bb89bce60218f6eff2b9d628b8cc42d3e79bbd5ab
recorded	engine	layra.document	0	1	1	["global_variables", "execution_status", "loop_index", "context", "nodes", "edges"]	\\xaf7b4810af3931e1a17029c87fe36d077cc53d9a2a720792ab85c2814dd6c650
recorded	engine	layra.graph	0	1	1	{"hash": "9806700c9cd9e7e3ead25c22b4efdb910aeed3e8487dd9b06adb706e907571be", "owner": "release_alice"}	\\x621fbbeafbdc42d2d4b5a98e53c960ab2165e1f6da385ddecb5ebb27a23204a9
recorded	engine	skip_nodes	0	1	1	[]	\\xd53d18c23212ea7b6300594bb89bce60218f6eff2b9d628b8cc42d3e79bbd5ab
recorded	node	cond_quality	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	node	loop_rounds	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	node	loop_sections	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	node	n_accept	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	node	n_draft	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	node	n_final	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	node	n_init	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	node	n_plan	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	node	n_review	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	node	n_revise	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	node	node_start	0	1	1	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	variable	accepted	0	1	1	"[]"	\\x01c39d59ea8427735bb7c738197dcf9404fdbffe63180fd2586aa4d666f2beb3
recorded	variable	approved	0	1	1	"False"	\\x4645e8a9099e750f08c55bbfc1160c8f96f7f51ed5d7acf5696f621d5ca1f749
recorded	variable	confidence	0	1	1	"0.0"	\\x0492023c99a5d1296f8daa1fbc61e11eab2cade2ab9208eb6f2cee52f56de82b
recorded	variable	current_section	0	1	1	""	\\x1286f4d583fcffb2849e654c9ec78d95c03e83bf73d6b4c18b21df1dda49c7fa
recorded	variable	draft	0	1	1	""	\\x1286f4d583fcffb2849e654c9ec78d95c03e83bf73d6b4c18b21df1dda49c7fa
recorded	variable	draft_round	0	1	1	"0"	\\x00c646b81eb763d59cc6f7b5141b738cb072f20afe18f03a67456e32b4f63709
recorded	variable	feedback	0	1	1	""	\\x1286f4d583fcffb2849e654c9ec78d95c03e83bf73d6b4c18b21df1dda49c7fa
recorded	variable	history	0	1	1	"[]"	\\x01c39d59ea8427735bb7c738197dcf9404fdbffe63180fd2586aa4d666f2beb3
recorded	variable	hits	0	1	1	"[]"	\\x01c39d59ea8427735bb7c738197dcf9404fdbffe63180fd2586aa4d666f2beb3
recorded	variable	metrics	0	1	1	"{}"	\\x15a56b34826596cd056edfda18a14722cdc7344203e1fafce72c9cf8f1e7efb2
recorded	variable	progress	0	1	1	"0.0"	\\x0492023c99a5d1296f8daa1fbc61e11eab2cade2ab9208eb6f2cee52f56de82b
recorded	variable	report	0	1	1	"{}"	\\x15a56b34826596cd056edfda18a14722cdc7344203e1fafce72c9cf8f1e7efb2
recorded	variable	report_title	0	1	1	""	\\x1286f4d583fcffb2849e654c9ec78d95c03e83bf73d6b4c18b21df1dda49c7fa
recorded	variable	review	0	1	1	""	\\x1286f4d583fcffb2849e654c9ec78d95c03e83bf73d6b4c18b21df1dda49c7fa
recorded	variable	revisions	0	1	1	"0"	\\x00c646b81eb763d59cc6f7b5141b738cb072f20afe18f03a67456e32b4f63709
recorded	variable	section_index	0	1	1	"0"	\\x00c646b81eb763d59cc6f7b5141b738cb072f20afe18f03a67456e32b4f63709
recorded	variable	sections	0	1	1	"[]"	\\x01c39d59ea8427735bb7c738197dcf9404fdbffe63180fd2586aa4d666f2beb3
recorded	variable	threshold	0	1	1	"0.7"	\\x61e0a4cc1b5726c1ba19f488ca4f6ac4abbe2016b562e28ee8aa6e5064e301e7
recorded	variable	total_chars	0	1	1	"0"	\\x00c646b81eb763d59cc6f7b5141b738cb072f20afe18f03a67456e32b4f63709
recorded	node	node_start	0	3	2	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2
recorded	context	n_init	-1	7	1	{"live": 1, "next": 1}	\\xcaeaebf9672ad5f1aa37c29d54558d8d1bff93a5e91514700662f4219d59926f
recorded	context	n_init	0	7	1	{"result": ""}	\\xb58b8db1e7aee3f48301c5af55c5a2dbee55dbe86c0f4f649d7ac2cab56937f6
recorded	node	n_init	0	7	2	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2
recorded	variable	current_section	0	7	2	"''"	\\x553975fb5b4bf0d49f3c811405269406979de3b54bede6e32136b4c25d574518
recorded	variable	draft	0	7	2	"''"	\\x553975fb5b4bf0d49f3c811405269406979de3b54bede6e32136b4c25d574518
recorded	variable	feedback	0	7	2	"''"	\\x553975fb5b4bf0d49f3c811405269406979de3b54bede6e32136b4c25d574518
recorded	variable	metrics	0	7	2	"{'accepted': 0, 'revised': 0, 'by_section': {}}"	\\x04f57f1dcbe02c6199845f619b766b93215d11223221d5a3c736a918cc158bfd
recorded	variable	report_title	0	7	2	"'Quarterly retrieval audit'"	\\x7c1778f3d2513cd67898534bc79cef67bffd4bfc4823ee73c33d90dae4683fb4
recorded	variable	review	0	7	2	"''"	\\x553975fb5b4bf0d49f3c811405269406979de3b54bede6e32136b4c25d574518
recorded	variable	sections	0	7	2	"['Background', 'Method', 'Results']"	\\x648d00c5866b02d0ec00753c15569588fd478123f19362540ad3d88f9adcd665
recorded	loop	loop_sections	0	10	1	{"index": 0}	\\xe88bde8bbcd74258da711c9c43edd7bed1e832a0616a2a3546ed11376fc7c0a8
recorded	context	n_plan	-1	13	1	{"live": 1, "next": 1}	\\xcaeaebf9672ad5f1aa37c29d54558d8d1bff93a5e91514700662f4219d59926f
recorded	context	n_plan	0	13	1	{"result": ""}	\\xb58b8db1e7aee3f48301c5af55c5a2dbee55dbe86c0f4f649d7ac2cab56937f6
recorded	node	n_plan	0	13	2	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2
recorded	variable	current_section	0	13	3	"'Background'"	\\xa202cb937dd09862ba7e2972c4af67e05124caf3fe6dcff2f1e950d1050c2282
recorded	variable	hits	0	13	2	"[{'doc': 'D007', 'page': 1, 'score': 0.91}, {'doc': 'D008', 'page': 2, 'score': 0.84}, {'doc': 'D009', 'page': 3, 'score': 0.77}, {'doc': 'D010', 'page': 4, 'score': 0.7}, {'doc': 'D011', 'page': 5, 'score': 0.63}]"	\\x96a1e24e9a7f095072731d6cec89679eefd9cfc9b8f027adde45bc80927f607a
recorded	variable	section_index	0	13	2	"1"	\\x8471dbc63c81fea18163edf2c9dcfcd5a5c8b23820e53cdd94b64d2fc5016159
recorded	loop	loop_rounds	0	15	1	{"index": 0}	\\xe88bde8bbcd74258da711c9c43edd7bed1e832a0616a2a3546ed11376fc7c0a8
recorded	context	n_draft	-1	20	1	{"live": 1, "next": 1}	\\xcaeaebf9672ad5f1aa37c29d54558d8d1bff93a5e91514700662f4219d59926f
recorded	context	n_draft	0	20	1	{"result": "Message generated!"}	\\x848e98a166cdce789c013d1e21a1884a0e4f02b9589197075979f8c88f2dc5ee
recorded	node	n_draft	0	20	2	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2
recorded	variable	confidence	0	20	2	"0.54"	\\x4363325fab34b13a77d0ad7f524cbb30bf57ed4d887ea7214d462ea9c07e3f8d
recorded	variable	draft	0	20	3	"'Section draft 1: The retrieved figures support the claim with moderate confidence. The retrieved figures support the claim with moderate confidence. The retrieved figures support the claim with moderate confidence. {\\"confidence\\": 0.54, \\"summary\\": \\"draft 1 reviewed\\"}'"	\\x577350fee6b955bb5992f73039fdc6c335fc667766a2e8f79c26aa87c09c2499
recorded	context	cond_quality	-1	22	1	{"live": 1, "next": 1}	\\xcaeaebf9672ad5f1aa37c29d54558d8d1bff93a5e91514700662f4219d59926f
recorded	context	cond_quality	0	22	1	{"result": "Passed Connection Index: 2", "condition_child": ["Passed Condition Index: 2"]}	\\x4d5b11c62295825ef9260b80fe26ff293ba76a5823256f04eb6291771ce8e54e
recorded	engine	skip_nodes	0	22	2	["n_accept"]	\\xe024f68cab53e8ab4eff4f50ba3b40a670c4080b353f42838a347126ed2c8da4
recorded	node	cond_quality	0	22	2	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2
recorded	node	n_accept	0	23	2	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2
recorded	context	n_revise	-1	24	1	{"live": 1, "next": 1}	\\xcaeaebf9672ad5f1aa37c29d54558d8d1bff93a5e91514700662f4219d59926f
recorded	context	n_revise	0	24	1	{"result": ""}	\\xb58b8db1e7aee3f48301c5af55c5a2dbee55dbe86c0f4f649d7ac2cab56937f6
recorded	node	n_revise	0	24	2	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2
recorded	variable	draft_round	0	24	2	"1"	\\x8471dbc63c81fea18163edf2c9dcfcd5a5c8b23820e53cdd94b64d2fc5016159
recorded	variable	feedback	0	24	3	"'raise confidence above 0.7'"	\\xdac246d4588b2f6c972d6f1494bd2491670a05ab667aea43c13dc754d2b0f234
recorded	variable	history	0	24	2	"[{'section': 'Background', 'round': 1, 'confidence': 0.54, 'chars': 266}]"	\\xca56511cfc3345d796169ba8426609ac93184401f96f0ee93484edfbbb314d6b
recorded	variable	metrics	0	24	3	"{'accepted': 0, 'revised': 1, 'by_section': {}}"	\\x3adb0f7cbdb57c8ace13d7bcaf03c1edca52f92cb8c8201b877ec9325425bbcb
recorded	variable	revisions	0	24	2	"1"	\\x8471dbc63c81fea18163edf2c9dcfcd5a5c8b23820e53cdd94b64d2fc5016159
recorded	variable	total_chars	0	24	2	"266"	\\x3590c487f277eb2f075c6f058054bf88d7e625e47b00e97986792a371e9036b0
recorded	engine	skip_nodes	0	25	3	[]	\\xd53d18c23212ea7b6300594bb89bce60218f6eff2b9d628b8cc42d3e79bbd5ab
recorded	loop	loop_rounds	0	25	2	{"index": 1}	\\x35b7949f1fe47b26e9f5c3d779cafbf9caa4e9dd2abc76a1463babfa825154f5
recorded	node	n_draft	0	26	3	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	node	cond_quality	0	27	3	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	node	n_accept	0	28	3	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	node	n_revise	0	29	3	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	context	n_draft	-1	31	2	{"live": 2, "next": 2}	\\x34e5bda2531b66cc3208f8a5e2aef491f28ec3fe9a9969ee7e2addaaec252598
recorded	context	n_draft	1	31	1	{"result": "Message generated!"}	\\x848e98a166cdce789c013d1e21a1884a0e4f02b9589197075979f8c88f2dc5ee
recorded	node	n_draft	0	31	4	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2
recorded	variable	confidence	0	31	3	"0.58"	\\xc03d2440a966a23c57cf3b27ed458a45c120e6b06ea7cbac727b19c60370f6e6
recorded	variable	draft	0	31	4	"'Section draft 2: The retrieved figures support the claim with moderate confidence. The retrieved figures support the claim with moderate confidence. The retrieved figures support the claim with moderate confidence. The retrieved figures support the claim with moderate confidence. {\\"confidence\\": 0.58, \\"summary\\": \\"draft 2 reviewed\\"}'"	\\xe91cc2e23b28f98756009455e6832fc24e6b99eb3320950f6b4788fef47b41ce
recorded	context	cond_quality	-1	33	2	{"live": 2, "next": 2}	\\x34e5bda2531b66cc3208f8a5e2aef491f28ec3fe9a9969ee7e2addaaec252598
recorded	context	cond_quality	1	33	1	{"result": "Passed Connection Index: 2", "condition_child": ["Passed Condition Index: 2"]}	\\x4d5b11c62295825ef9260b80fe26ff293ba76a5823256f04eb6291771ce8e54e
recorded	engine	skip_nodes	0	33	4	["n_accept"]	\\xe024f68cab53e8ab4eff4f50ba3b40a670c4080b353f42838a347126ed2c8da4
recorded	node	cond_quality	0	33	4	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2
recorded	node	n_accept	0	34	4	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2
recorded	context	n_revise	-1	35	2	{"live": 2, "next": 2}	\\x34e5bda2531b66cc3208f8a5e2aef491f28ec3fe9a9969ee7e2addaaec252598
recorded	context	n_revise	1	35	1	{"result": ""}	\\xb58b8db1e7aee3f48301c5af55c5a2dbee55dbe86c0f4f649d7ac2cab56937f6
recorded	node	n_revise	0	35	4	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2
recorded	variable	draft_round	0	35	3	"2"	\\xd82be58fb86af7e57e679afc15754140135569c1572707065bcd6b6557cff972
recorded	variable	history	0	35	3	"[{'section': 'Background', 'round': 1, 'confidence': 0.54, 'chars': 266}, {'section': 'Background', 'round': 2, 'confidence': 0.58, 'chars': 332}]"	\\x546fd8f1fab54c9f3c000422ceca40de32c49195a84d7dc0c7b0f8836af6a1d8
recorded	variable	metrics	0	35	4	"{'accepted': 0, 'revised': 2, 'by_section': {}}"	\\xa9a91100c3ebc17e2239c75cd9633f5c9d185094173fd1a70f4c1eb5e1efc17a
recorded	variable	revisions	0	35	3	"2"	\\xd82be58fb86af7e57e679afc15754140135569c1572707065bcd6b6557cff972
recorded	variable	total_chars	0	35	3	"598"	\\x1ca850dfa521c10a55c1daab7b4f4aae954283076ebb56447c1f950abf8a8efb
recorded	engine	skip_nodes	0	36	5	[]	\\xd53d18c23212ea7b6300594bb89bce60218f6eff2b9d628b8cc42d3e79bbd5ab
recorded	loop	loop_rounds	0	36	3	{"index": 2}	\\x32e2e10f36e9e2c4362c12622c60afb3ab585b218f2a5c6e5aeda54317a53476
recorded	node	n_draft	0	37	5	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	node	cond_quality	0	38	5	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	node	n_accept	0	39	5	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	node	n_revise	0	40	5	{"status": "pending"}	\\x42f721f936907eba02199c2df4cd95ea8b55b14dc03d3dc5500596898dd9d556
recorded	context	n_draft	-1	42	3	{"live": 3, "next": 3}	\\x3aa82352685f02e2e1815eae763a214b6611d9add4d3bf449bffefeaafddfa77
recorded	context	n_draft	2	42	1	{"result": "Message generated!"}	\\x848e98a166cdce789c013d1e21a1884a0e4f02b9589197075979f8c88f2dc5ee
recorded	node	n_draft	0	42	6	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2
recorded	variable	confidence	0	42	4	"0.62"	\\xe11c4d68b81f6430e9d7c4b19eb8f2ea807d2fa599ae25e4992c5681f6a3e0ae
recorded	variable	draft	0	42	5	"'Section draft 3: The retrieved figures support the claim with moderate confidence. The retrieved figures support the claim with moderate confidence. {\\"confidence\\": 0.62, \\"summary\\": \\"draft 3 reviewed\\"}'"	\\xcaa3053057010f53ea3ff867338b90aebaadb540cb4a0a609bc31994fdb52ded
recorded	context	cond_quality	-1	44	3	{"live": 3, "next": 3}	\\x3aa82352685f02e2e1815eae763a214b6611d9add4d3bf449bffefeaafddfa77
recorded	context	cond_quality	2	44	1	{"result": "Passed Connection Index: 2", "condition_child": ["Passed Condition Index: 2"]}	\\x4d5b11c62295825ef9260b80fe26ff293ba76a5823256f04eb6291771ce8e54e
recorded	engine	skip_nodes	0	44	6	["n_accept"]	\\xe024f68cab53e8ab4eff4f50ba3b40a670c4080b353f42838a347126ed2c8da4
recorded	node	cond_quality	0	44	6	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2
ver/sions	variable	a	0	1	1	1.00	\\x31aa720a6fc3d41cef475b90f33415b14d8dd2cf0a547ac4eef7f314411d79bf
ver/sions	variable	list	0	1	1	[]	\\xd53d18c23212ea7b6300594bb89bce60218f6eff2b9d628b8cc42d3e79bbd5ab
ver/sions	variable	ünï	0	1	1	{"x": null}	\\x01f427244c5b11ee0bda4749a9057a309db0849a65b7f1e9b16762cba211d9d5
ver/sions	variable	n	0	2	1	0	\\x4d067153ac729a4a7e8220c97935ffba67487860d58298ceeb23864369867d9f
ver/sions	variable	list	0	3	2	["entry 0"]	\\x0ea60082ac19c5225dac7f8d0ec55494b9cb8e3a7c08fd7617f011c8c23a29f4
ver/sions	variable	n	0	3	2	1	\\xd63bd9a826af91c1fea371965a64e11ee20f13e46b5f52c59901136605b3a487
ver/sions	variable	list	0	4	3	["entry 0", "entry 1"]	\\x859995574a540c67a37aa33f194a25c94e4ab14fc956602a1354751c418e5597
ver/sions	variable	n	0	4	3	2	\\x813e9b729141e7f385afa0a2d0df3e6c3789e427ffe4aeef566a565bc8f2fe3d
ver/sions	variable	list	0	5	4	["entry 0", "entry 1", "entry 2"]	\\xefebf378fdc7bcbcb28d3c4ea948f81146caf3d0413cbd677f7c89932b3bd5ee
ver/sions	variable	n	0	5	4	3	\\x58d6fd3dc609068615d66b6a2616cce521e6bd49bbcd7854e3f2573b142c6637
ver/sions	variable	list	0	6	5	["entry 0", "entry 1", "entry 2", "entry 3"]	\\x3a2fcada042912d9ede6592cc1f44109acfcf487d01f5725ca7197ac27a527b7
ver/sions	variable	n	0	6	5	4	\\xe67a9c4536256f1ec7495a146b5442fa7c0ed99e258a08260a4a244fa31c7c61
ver/sions	variable	list	0	7	6	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4"]	\\x0a3ea35e50a1717466d1a5fa7c027639e88fd89fb54906e4fc2c1017f7f35e11
ver/sions	variable	n	0	7	6	5	\\xb3372b584dc0df6ce757fa43f459ca1f0c4180a08762cbfa41d022ca24f63d9f
ver/sions	variable	list	0	8	7	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5"]	\\x96ebadb206f775e8cb096047f76d9f88d46de9e02f494c058cd3a2b0c8eada25
ver/sions	variable	n	0	8	7	6	\\xb748b4ebf53795686930b718fd46066df65694e910c9e647cd56c2b081b95732
ver/sions	variable	list	0	9	8	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6"]	\\xd5ae4a3e0a9bbdc3ce77df193e2f1167e4cf7c253b008d65cbd926d3ade8d69b
ver/sions	variable	n	0	9	8	7	\\x22f36339ae3058eeaf19a52949cfb9eb0a6bf4c21c05b6191ae4a19c8a93de4b
ver/sions	variable	list	0	10	9	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7"]	\\xb9ed8f2326402c589e5fee37cfe4c4077d58f96d0bacf77321aa7d14b9d39045
ver/sions	variable	n	0	10	9	8	\\x658325b1f32c8396999ae42cb87c35f3ed342e89c125cc5d2fa194e772da0eb8
ver/sions	variable	list	0	11	10	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8"]	\\xced5dfa2b2bf72787c9bb2af36e4706b194d60bafbd607e7f7e87c849e140d4b
ver/sions	variable	n	0	11	10	9	\\x026ed82c4fff0dc3c84dc96cf999e00578522d5f7c16921808de90a01745d66b
ver/sions	variable	list	0	12	11	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9"]	\\x8ffcd798e771a838825280bc057234017e4eb0235d495ea4902414c4bb3cf3ad
ver/sions	variable	n	0	12	11	10	\\x5f9c182710334343eddf6aec554609f64d1223e3cb0c0c9863a27cdeabd6c916
ver/sions	variable	list	0	13	12	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10"]	\\x7b162878c86dba19ecab3e97fed8d932f8fbb6162ac7b61433d4ee921e94af01
ver/sions	variable	n	0	13	12	11	\\xc8400ea7a023c7fd1d766164129539e0fc0e9b20d4abd005734e52f47856287f
ver/sions	variable	list	0	14	13	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11"]	\\x40f9fcd210786f35c5826612b9d7e1786f5d4a443afad40aee25ec45ef4d7543
ver/sions	variable	n	0	14	13	12	\\xb944a0a3b20cf5927e594ff306d256d16cd5b0ba3e27b3285f40d7ef5e19695b
ver/sions	variable	list	0	15	14	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12"]	\\x81f8afd709219876b69ceac0c4d6fdceeaeba5fab7653630f5d9ecb7ed1137bb
ver/sions	variable	n	0	15	14	13	\\xc8025765f876f1a74e6b9978ced598853cb890b2a6d36a05c799133af81c7f81
ver/sions	variable	list	0	16	15	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13"]	\\x1f5af2ae1191a1819cfbe1f8863d7ee23af12b438767a0a04b44e01aca8a99e7
ver/sions	variable	n	0	16	15	14	\\x16628363c4c13600343778f96ddfb650e498df2a8e0d3a8b4dc4d4aa5c5720fe
ver/sions	variable	list	0	17	16	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14"]	\\x7634e4c015cb9b1625c5e085494fc4854617466d33ab90e2b1abcff7f7f8e8db
ver/sions	variable	n	0	17	16	15	\\xb3ea367bacb27dd8248220c8bd6e0450464312a754e253dddf741a8e10c6290b
ver/sions	variable	list	0	18	17	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15"]	\\x7d2526f33f7ed70d60865280ba29aca05fea2fa872f928fba72e5ab9c5eacabe
ver/sions	variable	n	0	18	17	16	\\xe3c954e0738a0579b86d3857ca918560982e299c040edcd9342f1b566ce976c3
ver/sions	variable	list	0	19	18	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16"]	\\x4816db46169b84d0b6acd148aa0920201035602c8311290104e048169386467c
ver/sions	variable	n	0	19	18	17	\\x2bc7ef5f44f1bad1562c1d40d45195f5102d690a302cadab32ff8fd8ebf420df
ver/sions	variable	list	0	20	19	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17"]	\\xfa439ebd6bda87d4bec761e74c49c3c1e0d170ca1ddbb574a47effd11319f7f0
ver/sions	variable	n	0	20	19	18	\\x0be1d691ae9763d9d8c5d31ad8da73d1a15f0f34ae18c1d1da5b9acff7d9f509
lists	context	n	4	1	1	"line 4"	\\x9fb4a6cca395efb238b1000f34206f00298582c959bd0424730955593b469270
lists	context	n	5	1	1	"line 5"	\\x5b1e521f744bf7bd6533f1e367aab870c177d82746cdf4365f6f59c44c5b79be
ver/sions	variable	list	0	21	20	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18"]	\\x0702b71dba4828704ad1261db93bb314c4c3f2a304fef77ea53871b83e398efc
ver/sions	variable	n	0	21	20	19	\\x23e1d1029614e86c0e8791ee223a0ffdc1a3a2e3474c66e1db41e1e34a47c46f
ver/sions	variable	list	0	22	21	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19"]	\\x6cfdbca0de6cf617b8836131636398d0e8e57825a611c16648b79d093aefe431
ver/sions	variable	n	0	22	21	20	\\x49a94f2e783c9c041bbc22abf96fb408e6988c5d0abae75ebf1dd17d6b9bcc2d
ver/sions	variable	list	0	23	22	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20"]	\\x5294267b76dffba13aa3759a5fa0abf28fa497d7d5c9acff047555647fc3bc91
ver/sions	variable	n	0	23	22	21	\\x300843051147a342bc6e6caac68b1b285a1988e9045c5640699ee68f630c4865
ver/sions	variable	list	0	24	23	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21"]	\\xade45e0b08a2ddc41fc7eb47b1261cfdb78f2ebf4441bb902de920f4794fff79
ver/sions	variable	n	0	24	23	22	\\x93aed7df61cdeed8cb721d46dbbf3013f7dc4e4fa35807d3e61a0fa66fe8633a
ver/sions	variable	list	0	25	24	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21", "entry 22"]	\\x116852c994b0b67ff83ec33f0f10568f255d20fa372f9623c46063ea2f6577f8
ver/sions	variable	n	0	25	24	23	\\xe0812c6818e340abbe3c63cce5c52cacb70758c0c002cf1a85bc3c9a806ef522
ver/sions	variable	list	0	26	25	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21", "entry 22", "entry 23"]	\\xa50d2b3085ef79eab5f762b23a3e88b3e05e9b6893ebc0b1eca8d7fc8afd249e
ver/sions	variable	n	0	26	25	24	\\x6a7b6375ca1f6d60c0f9f8a177adcc48c88cd62101cfa9e7dbb1599e3b203d68
ver/sions	variable	list	0	27	26	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21", "entry 22", "entry 23", "entry 24"]	\\xa8e69d2b6efa281c09b3a187a0da7e4076ed3bf670c0ac4a06a15c5626669156
ver/sions	variable	n	0	27	26	25	\\x2f5e21db4cb91f97306552744f56112a6c3ab1549838a59fd4b36c5e52470994
ver/sions	variable	list	0	28	27	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21", "entry 22", "entry 23", "entry 24", "entry 25"]	\\x1ca9b17478fa8a61ad5afa4391e4d52ddfe0fe8af9f91099a2bab527e01b23df
ver/sions	variable	n	0	28	27	26	\\xc37a669e2897d1a677ec1e7c52672758fa9f0e6baa8104bb0280130322ff2b32
ver/sions	variable	list	0	29	28	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21", "entry 22", "entry 23", "entry 24", "entry 25", "entry 26"]	\\x705d22b6e01b82676167584020311c5bbf32503ed1d67b540bd7412909472182
ver/sions	variable	n	0	29	28	27	\\xc02fc342da3d108f6e726e467252596a6b18e27d2cd99afa7b3a14142ad889d9
ver/sions	variable	list	0	30	29	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21", "entry 22", "entry 23", "entry 24", "entry 25", "entry 26", "entry 27"]	\\x79db2fb773305038881e885bca5ff823ee75e2324baf85f1a102a1ab40e0af91
ver/sions	variable	n	0	30	29	28	\\x6fb53919f931ad2b040f21c9d6d8813cc554dba071fbd14ff85888bf64a27120
ver/sions	variable	list	0	31	30	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21", "entry 22", "entry 23", "entry 24", "entry 25", "entry 26", "entry 27", "entry 28"]	\\xde0ed00ef3cdc8958c8e2a5f9b3ad1ac3bf39f8297cddcad1565fb4abcbf566c
ver/sions	variable	n	0	31	30	29	\\x26ef00fd9555bd7513a82faef1b56c9d1efd61bc84e311e6ed902c79c40602c4
ver/sions	variable	a	0	33	2	\N	\N
ver/sions	variable	ünï	0	33	2	\N	\N
ver/sions	variable	sent	0	34	1	10000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000	\\xfa51c75df231a251dc4eff0dcb1fdb37468f48a1c15ba483c6b1a2c6328afa65
ver/sions	variable	a	0	35	3	1.00	\\x31aa720a6fc3d41cef475b90f33415b14d8dd2cf0a547ac4eef7f314411d79bf
ver/sions	variable	list	0	35	31	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17"]	\\xfa439ebd6bda87d4bec761e74c49c3c1e0d170ca1ddbb574a47effd11319f7f0
ver/sions	variable	n	0	35	31	18	\\x0be1d691ae9763d9d8c5d31ad8da73d1a15f0f34ae18c1d1da5b9acff7d9f509
ver/sions	variable	ünï	0	35	3	{"x": null}	\\x01f427244c5b11ee0bda4749a9057a309db0849a65b7f1e9b16762cba211d9d5
ver/sions	variable	sent	0	35	2	\N	\N
ver/sions	variable	list	0	36	32	["entry 0", "entry 1", "entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 7", "entry 8", "entry 9", "entry 10", "entry 11", "entry 12", "entry 13", "entry 14", "entry 15", "entry 16", "entry 17", "entry 18", "entry 19", "entry 20", "entry 21", "entry 22", "entry 23", "entry 24", "entry 25", "entry 26", "entry 27", "entry 28"]	\\xde0ed00ef3cdc8958c8e2a5f9b3ad1ac3bf39f8297cddcad1565fb4abcbf566c
ver/sions	variable	n	0	36	32	29	\\x26ef00fd9555bd7513a82faef1b56c9d1efd61bc84e311e6ed902c79c40602c4
lists	context	n	-1	1	1	{"live": 12, "next": 12}	\\xa003fbcffa2bdc9adb5ff2ce81bdd7078902614e29310bddf4c424eab8066d43
lists	context	n	0	1	1	"line 0"	\\x6d154e7dd523364388b99f11328f74347c42a9c8550d1169a9f0b3e41075077f
lists	context	n	1	1	1	"line 1"	\\xc25636859f346d1036bfc25584ab1c49f4f2e84f9bcf754284b65670acc2ab06
lists	context	n	2	1	1	"line 2"	\\x2ba13bd69699320d8f9c21ace75cb9bb99375560e6cf24a6af4e9764dcc61cab
lists	context	n	3	1	1	"line 3"	\\xa9467084cd97ff96a136bddce4782215ac4a9931eabd4a4fccb6d30b4363bd30
lists	context	n	6	1	1	"line 6"	\\xcc1cbaea6b518990396b5e2fa0af5154beaf318fdf8892c732c5d2cae939846c
lists	context	n	7	1	1	"line 7"	\\x03113f46085fc6ed9a5ca7f9b9c659111acbf88eb57a0c0c8493883251ec1604
lists	context	n	8	1	1	"line 8"	\\xb4c96ae9e3c1dfd3ec2ab1a6e9cfae25ed9ae52e3d5f5d4a8832c0c28d4998e0
lists	context	n	9	1	1	"line 9"	\\x24cb2dc38f2b7079669a7de02cf25f17bf017e8a4ae666d207d7ef2e99dc15fc
lists	context	n	10	1	1	"line 10"	\\x7eba4a7b12febea1ad7647da20c8e954c87969aed9f98ba38fc1274e16c9d53d
lists	context	n	11	1	1	"line 11"	\\x75a00969d17c540010317d093b299717845912e530c4474836222e598685008c
lists	engine	layra.document	0	1	1	["context"]	\\xe10c52dab5f75e5dc6a73604c533b51fbeab8d403fec51184055865aa61d24c1
lists	engine	stack	0	1	1	[12]	\\x858db62456b51f1ac0a9d0281b0da5058f39a847c4b571a13290f370f6fea336
lists	context	n	-1	2	2	{"top": 12, "live": 7, "next": 7}	\\xd503ac9f6d448a5fa5d768c6bb7f1f3f00fc4f14bad99026a19106a36e7922f0
lists	context	n	7	2	2	\N	\N
lists	context	n	8	2	2	\N	\N
lists	context	n	9	2	2	\N	\N
lists	context	n	10	2	2	\N	\N
lists	context	n	11	2	2	\N	\N
lists	engine	stack	0	2	2	[7]	\\x198d53dc20198248f6bac5f95ea8994f0eec64fceb8f4e905accd3a149005ec3
lists	context	n	-1	3	3	{"top": 12, "live": 9, "next": 9}	\\x71fd94997528872f358f7da7ad3fb14638cc4730a1c73f87b090fb769d85d044
lists	context	n	7	3	3	"line 7"	\\x03113f46085fc6ed9a5ca7f9b9c659111acbf88eb57a0c0c8493883251ec1604
lists	context	n	8	3	3	"line 8"	\\xb4c96ae9e3c1dfd3ec2ab1a6e9cfae25ed9ae52e3d5f5d4a8832c0c28d4998e0
lists	engine	stack	0	3	3	[9]	\\xa74496593ca5089748bcc2f517976c29c3946acedbe8d2ce32ce4067e76b5ea6
lists	context	n	-1	4	4	{"top": 12, "live": 0, "next": 0}	\\xaae6642b5904ecab9b038827b5abd324e3fccf084da68c1b4609d49621b63e11
lists	context	n	0	4	2	\N	\N
lists	context	n	1	4	2	\N	\N
lists	context	n	2	4	2	\N	\N
lists	context	n	3	4	2	\N	\N
lists	context	n	4	4	2	\N	\N
lists	context	n	5	4	2	\N	\N
lists	context	n	6	4	2	\N	\N
lists	context	n	7	4	4	\N	\N
lists	context	n	8	4	4	\N	\N
lists	engine	stack	0	4	4	[0]	\\xf36adac1b6935d7ed2caf0bf1fc9d929649249612aafb96be8bd8658ddf1354f
lists	context	n	-1	5	5	{"top": 12, "live": 3, "next": 3}	\\x92a7a9939e8f96bdf69112a75e23729f14baa7cccea2d98a40510f1f8b1707f4
lists	context	n	0	5	3	"line 0"	\\x6d154e7dd523364388b99f11328f74347c42a9c8550d1169a9f0b3e41075077f
lists	context	n	1	5	3	"line 1"	\\xc25636859f346d1036bfc25584ab1c49f4f2e84f9bcf754284b65670acc2ab06
lists	context	n	2	5	3	"line 2"	\\x2ba13bd69699320d8f9c21ace75cb9bb99375560e6cf24a6af4e9764dcc61cab
lists	engine	stack	0	5	5	[3]	\\x43df6a5b01facb2f2c45d7ff8bd44eab10fe3e816774a757d585117c85fbe81d
parent	variable	a	0	1	1	1	\\xd63bd9a826af91c1fea371965a64e11ee20f13e46b5f52c59901136605b3a487
parent	variable	a	0	2	2	2	\\x813e9b729141e7f385afa0a2d0df3e6c3789e427ffe4aeef566a565bc8f2fe3d
child	variable	a	0	1	1	2	\\x813e9b729141e7f385afa0a2d0df3e6c3789e427ffe4aeef566a565bc8f2fe3d
grandchild	variable	a	0	1	1	2	\\x813e9b729141e7f385afa0a2d0df3e6c3789e427ffe4aeef566a565bc8f2fe3d
grandchild	variable	b	0	2	1	3	\\x58d6fd3dc609068615d66b6a2616cce521e6bd49bbcd7854e3f2573b142c6637
defined	engine	layra.graph	0	1	1	{"hash": "3c2fdcb8ae144e69127a598785a57d5c601eb079d07ec2dad606d0d1855237ac", "owner": "release_alice"}	\\x34631edc8a99f04b52f3257dc2689565071bbf7f49bbfd77a52ab646b17e660b
defined	variable	total	0	1	1	0	\\x4d067153ac729a4a7e8220c97935ffba67487860d58298ceeb23864369867d9f
defined	variable	total	0	2	2	12.50	\\xa9dc2dce710ca5549ff59e39275664474bbb830c772c05d73da6c8aa5204431f
of shared	engine	layra.graph	0	1	1	{"hash": "3c2fdcb8ae144e69127a598785a57d5c601eb079d07ec2dad606d0d1855237ac", "owner": "release_alice"}	\\x34631edc8a99f04b52f3257dc2689565071bbf7f49bbfd77a52ab646b17e660b
of shared	variable	total	0	1	1	0	\\x4d067153ac729a4a7e8220c97935ffba67487860d58298ceeb23864369867d9f
\.


--
-- Data for Name: checkpoint; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.checkpoint (run_id, version, kind, label, protected, metadata, created_at) FROM stdin;
ver/sions	32	manual	mark	t	{}	2026-11-24 04:25:29.613293+00
\.


--
-- Data for Name: event; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.event (run_id, version, type, payload, payload_hash, changed, cells_hash, actor, on_behalf_of, at, idempotency_key, checkpoint_kind, checkpoint_label, hash, xact, bytes_since_checkpoint, checkpoint_version) FROM stdin;
recorded	1	state.saved	{"owner": "release_alice", "metadata": {}}	\\x9912479fe58caba7a67975471909a58bb411b80d493d492f7dc825c2d2bbec01	{engine/execution_stack,engine/layra.document,engine/layra.graph,engine/skip_nodes,node/cond_quality,node/loop_rounds,node/loop_sections,node/n_accept,node/n_draft,node/n_final,node/n_init,node/n_plan,node/n_review,node/n_revise,node/node_start,variable/accepted,variable/approved,variable/confidence,variable/current_section,variable/draft,variable/draft_round,variable/feedback,variable/history,variable/hits,variable/metrics,variable/progress,variable/report,variable/report_title,variable/review,variable/revisions,variable/section_index,variable/sections,variable/threshold,variable/total_chars}	\\xa739dbfab65058c4e6d06dac9d5a0c9a23f37947d1a3b3bfcfb85388596f2c4c	release_alice	\N	2026-11-24 04:25:29.558509+00	\N	\N	\N	\\xf088c076fde1752f95ef8f4734a603674654f8427e89df81fb0ee872a231f8c7	735	530	\N
recorded	2	engine.event	{"node": "node_start", "type": "node", "error": "", "result": "\\"\\"", "status": "1", "variables": "{\\"report_title\\": \\"\\", \\"sections\\": \\"[]\\", \\"section_index\\": \\"0\\", \\"current_section\\": \\"\\", \\"hits\\": \\"[]\\", \\"draft\\": \\"\\", \\"draft_round\\": \\"0\\", \\"confidence\\": \\"0.0\\", \\"threshold\\": \\"0.7\\", \\"accepted\\": \\"[]\\", \\"revisions\\": \\"0\\", \\"feedback\\": \\"\\", \\"total_chars\\": \\"0\\", \\"history\\": \\"[]\\", \\"metrics\\": \\"{}\\", \\"progress\\": \\"0.0\\", \\"review\\": \\"\\", \\"approved\\": \\"False\\", \\"report\\": \\"{}\\"}", "create_time": "2026-11-23 11:58:28.107929+08:00"}	\\x9fcc678c8d76a27c6857037442f6518e704bb14676a58b902362683ea8a59b26	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.561733+00	e1	\N	\N	\\xa0efbc3437439ed065d0c6694723c40db99469094ca0a7315b9a0ad69325730d	736	1105	\N
recorded	3	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/node_start}	\\xd736b569d730cb8012aa1c0a65e0b9adb6ba2ea354839addf625e7f2b3b1a464	release_alice	\N	2026-11-24 04:25:29.562333+00	\N	\N	\N	\\x84428d638d32b6dd05663314f04a967d6c1e65e7a0ed089d4e98c21c2611138c	737	1130	\N
recorded	4	engine.event	{"node": "n_init", "type": "node", "error": "", "result": "\\"\\"", "status": "running", "variables": "{\\"report_title\\": \\"\\", \\"sections\\": \\"[]\\", \\"section_index\\": \\"0\\", \\"current_section\\": \\"\\", \\"hits\\": \\"[]\\", \\"draft\\": \\"\\", \\"draft_round\\": \\"0\\", \\"confidence\\": \\"0.0\\", \\"threshold\\": \\"0.7\\", \\"accepted\\": \\"[]\\", \\"revisions\\": \\"0\\", \\"feedback\\": \\"\\", \\"total_chars\\": \\"0\\", \\"history\\": \\"[]\\", \\"metrics\\": \\"{}\\", \\"progress\\": \\"0.0\\", \\"review\\": \\"\\", \\"approved\\": \\"False\\", \\"report\\": \\"{}\\"}", "create_time": "2026-11-23 11:58:28.108347+08:00"}	\\x58a98d9d6b3a29a37a62c11c923db1cf3fc10836337e27fa9d7d62bd59a21a2a	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.56492+00	e2	\N	\N	\\xfa5cb458660b161ba1e9c71f51185bb9baaa1bb46ef15479c14addbaad83806b	738	1707	\N
recorded	5	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.565381+00	\N	\N	\N	\\xff54167a4be6dddcf8e3fb88d235c2808486eb468da8ed933601a70913865ff7	739	1709	\N
recorded	6	engine.event	{"node": "n_init", "type": "node", "error": "", "result": "[{\\"result\\": \\"\\"}]", "status": "1", "variables": "{\\"report_title\\": \\"'Quarterly retrieval audit'\\", \\"sections\\": \\"['Background', 'Method', 'Results']\\", \\"section_index\\": \\"0\\", \\"current_section\\": \\"''\\", \\"hits\\": \\"[]\\", \\"draft\\": \\"''\\", \\"draft_round\\": \\"0\\", \\"confidence\\": \\"0.0\\", \\"threshold\\": \\"0.7\\", \\"accepted\\": \\"[]\\", \\"revisions\\": \\"0\\", \\"feedback\\": \\"''\\", \\"total_chars\\": \\"0\\", \\"history\\": \\"[]\\", \\"metrics\\": \\"{'accepted': 0, 'revised': 0, 'by_section': {}}\\", \\"progress\\": \\"0.0\\", \\"review\\": \\"''\\", \\"approved\\": \\"False\\", \\"report\\": \\"{}\\"}", "create_time": "2026-11-23 11:58:28.129832+08:00"}	\\x35362a502aaa05c11d5323acc786ac106c5681e18e80faee5894c4caa0e9d1b7	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.565977+00	e3	\N	\N	\\x39e6b25fba6386dbcbb3c0519522441a623927c238549a7578e040739e16293f	740	2409	\N
recorded	7	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n_init/-1,context/n_init/0,node/n_init,variable/current_section,variable/draft,variable/feedback,variable/metrics,variable/report_title,variable/review,variable/sections}	\\x28625bc0328379004a541f1b3d5cfa1ab282386d6daf9e06c7e4849d601d99d4	release_alice	\N	2026-11-24 04:25:29.566487+00	\N	\N	\N	\\x6d68826452dc72cd0f83afb917e0db1d9ff34b691b1d2766e5cd8ad5edcd5bbd	741	2601	\N
recorded	8	engine.event	{"node": "loop_sections", "type": "node", "error": "", "result": "\\"\\"", "status": "running", "variables": "{\\"report_title\\": \\"'Quarterly retrieval audit'\\", \\"sections\\": \\"['Background', 'Method', 'Results']\\", \\"section_index\\": \\"0\\", \\"current_section\\": \\"''\\", \\"hits\\": \\"[]\\", \\"draft\\": \\"''\\", \\"draft_round\\": \\"0\\", \\"confidence\\": \\"0.0\\", \\"threshold\\": \\"0.7\\", \\"accepted\\": \\"[]\\", \\"revisions\\": \\"0\\", \\"feedback\\": \\"''\\", \\"total_chars\\": \\"0\\", \\"history\\": \\"[]\\", \\"metrics\\": \\"{'accepted': 0, 'revised': 0, 'by_section': {}}\\", \\"progress\\": \\"0.0\\", \\"review\\": \\"''\\", \\"approved\\": \\"False\\", \\"report\\": \\"{}\\"}", "create_time": "2026-11-23 11:58:28.130240+08:00"}	\\xbe636b01b37669417242ae4e930fb79d7c15031ded1fcbcee19113e4fa5e2525	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.567258+00	e4	\N	\N	\\x8dcdf697fe2563e417aafb531ebccddd008d483219afa3f87747fb0aa1cfe3d9	742	3298	\N
recorded	9	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.567726+00	\N	\N	\N	\\xf6d888b882aa9df5188903ac73e1fa7ff8140bfa957ea43142e05a5cedfb29bb	743	3300	\N
recorded	10	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{loop/loop_sections}	\\x1b4e1e03762c481445a6abc705713e8897822f9b57b0264a03e31088e4c0faa5	release_alice	\N	2026-11-24 04:25:29.568476+00	\N	\N	\N	\\x8ea57f20be05e83d61a84098a2d498bf81e290d64ccb54c853e55622efd4c775	744	3314	\N
recorded	11	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.569142+00	\N	\N	\N	\\xcc43324111429de073b6ee62b40d7a6744bb35fdbc844e376594339e7b21bb90	745	3316	\N
recorded	12	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.569908+00	\N	\N	\N	\\xc4547778d9362e8507b3f55df3244d57f05783298e0f739e49f1688c9d0805ee	746	3318	\N
recorded	13	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n_plan/-1,context/n_plan/0,node/n_plan,variable/current_section,variable/hits,variable/section_index}	\\xe2a6c95b42ba4d44835370df359baebc5cdd6aab784e73bd50bb2a797aa53e89	release_alice	\N	2026-11-24 04:25:29.570537+00	\N	\N	\N	\\x87054aba30ff95bda7cd2bc524708445c5efd78c7b9a3f85cb69174e58c01179	747	3612	\N
recorded	14	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.571533+00	\N	\N	\N	\\x719f84be0db2b97024d1805a23ce2c009ec240ff278f75e469f5038d72a2e9b1	748	3614	\N
recorded	15	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{loop/loop_rounds}	\\xc35346baddb3f4be1a096621edb6e0edd9e4d274fc5b1fcaea6f4844fc68a1f0	release_alice	\N	2026-11-24 04:25:29.572201+00	\N	\N	\N	\\xf7216e464e41030b5a70483ecda0adfc5405416ab4cad183ba0bcd0c37a36722	749	3628	\N
recorded	16	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.57285+00	\N	\N	\N	\\xa6f3728beb5ef50faf5866153fbe14c2064ef54384effbe340452e8ca437ebf7	750	3630	\N
recorded	17	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.573478+00	\N	\N	\N	\\xaa005483d8aba08806d6400e230864f9bbef405ac85abb70b5b5d0f72bdaeae6	751	3632	\N
recorded	18	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.574149+00	\N	\N	\N	\\x6d990ca9d2d96fc13b0e74b6a1f133721d8de0b3de59aa184d2bb3f6ac4c5567	752	3634	\N
recorded	19	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.574758+00	\N	\N	\N	\\x6bff60ed2b35e3a05c1eaaaabdaf46d7a095447103ca6984a2cba6c49b828b27	753	3636	\N
recorded	20	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n_draft/-1,context/n_draft/0,node/n_draft,variable/confidence,variable/draft}	\\x954f473950181badf1dfacdfe82dc54b13bfb21332a48c82b50cf43563f63fb0	release_alice	\N	2026-11-24 04:25:29.575449+00	\N	\N	\N	\\x19a90a99bdfc29b6ac26b4e9d39fd4006fb4294106d3e8ff95bd55748a3eed00	754	3997	\N
recorded	21	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.577412+00	\N	\N	\N	\\xb848df66c203cc8d200dc200239313cb264f0e9c212e318898091d0b5a4fa2ce	755	3999	\N
recorded	22	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/cond_quality/-1,context/cond_quality/0,engine/skip_nodes,node/cond_quality}	\\x8f458982e851a77d9e116831444b7e0e8012c4e62e78d8e4a8cf96eab410a8d6	release_alice	\N	2026-11-24 04:25:29.5781+00	\N	\N	\N	\\xa75d3953475501075f4b99b7764e95d52c00838f5029a8e2c2a5542c3aff9ce2	756	4148	\N
recorded	23	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/n_accept}	\\x1c5f347e018e356bbd3e3f873dac5f852fbd0afcc85cf94374d30e0f6a6d2c6a	release_alice	\N	2026-11-24 04:25:29.578808+00	\N	\N	\N	\\x740c6ba9fc11094be430436138ce811d1ccdffcd8605275796439c764861a3be	757	4173	\N
recorded	24	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n_revise/-1,context/n_revise/0,node/n_revise,variable/draft_round,variable/feedback,variable/history,variable/metrics,variable/revisions,variable/total_chars}	\\xa27a4560406f68f5a366156d9c9f1c4a38c6173af0d9913c516e8fcf090e682b	release_alice	\N	2026-11-24 04:25:29.57957+00	\N	\N	\N	\\x3fd7ea3cd0d809f9f88866e95cfebe60c14d27fd410cbe0f4a39989356b20c57	758	4399	\N
recorded	25	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{engine/skip_nodes,loop/loop_rounds}	\\x94205afc46824fce1695521dea2047356d865a1e68515cf920231f51bee0eb99	release_alice	\N	2026-11-24 04:25:29.580314+00	\N	\N	\N	\\xb2ba7382d357c31c33369ed9852113b23d0250236f6b9ff8c7fb3fcfa24d3300	759	4415	\N
recorded	26	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/n_draft}	\\x8364cc5f4ec7a63715b33023acc7349af4e91380ffd9c15aff8b1f220f3fdf02	release_alice	\N	2026-11-24 04:25:29.581108+00	\N	\N	\N	\\x18b66da695cb5ca014cf471c6766837dfbaa639dab0272d747b0be5fffe8895f	760	4438	\N
recorded	27	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/cond_quality}	\\x0265e29f76df1cc0f854bcf43333cda3418ca2b4c5019bc6be017b862ade3837	release_alice	\N	2026-11-24 04:25:29.581974+00	\N	\N	\N	\\x610a18281ce1b0e1498404deace93c04859b0c41e45725c619b59d5bf5074365	761	4461	\N
recorded	28	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/n_accept}	\\x891e6e4bf0d09c3801ded41d480084c08b7eb900e2d9d6f685f088ce36ca3f55	release_alice	\N	2026-11-24 04:25:29.582962+00	\N	\N	\N	\\x4fe1103aa004b22065e99398a631e0a81f6b9437e13d31e047ad34f511f818b8	762	4484	\N
recorded	29	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/n_revise}	\\xdfc831b07e5e07fd764da8471965a5e7100e5628d2609d466e19d2d57a4cee0f	release_alice	\N	2026-11-24 04:25:29.583725+00	\N	\N	\N	\\x877185a3791ce84cff4bcbb1da29369372c6dfdc932f7fb88815ac3fba1e0864	763	4507	\N
recorded	30	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.58449+00	\N	\N	\N	\\x66f30acaeac7c6a9e9b06ceec1f8e7a65e412eace3602a657766d63324563919	764	4509	\N
recorded	31	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n_draft/-1,context/n_draft/1,node/n_draft,variable/confidence,variable/draft}	\\x9eb0f081a73aaf674f2da316e843c160ee4757626b11f1cbacc0061664ca00a7	release_alice	\N	2026-11-24 04:25:29.585196+00	\N	\N	\N	\\x9a5bcbf3a5487fda0fb9af305886d646f732d66ad4dcd54adbc39042df64803d	765	4936	\N
recorded	32	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.586517+00	\N	\N	\N	\\x5552b6e324b0689459d801a0abb625929dd2a1527abb4548e0a47840b99aa0c0	766	4938	\N
recorded	33	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/cond_quality/-1,context/cond_quality/1,engine/skip_nodes,node/cond_quality}	\\xdbdc28446e8611aa0ebda976eec298d45e814315a246e126a12a01cbd3d335b5	release_alice	\N	2026-11-24 04:25:29.587219+00	\N	\N	\N	\\xcd2f1a98eb56bbb9fc4da7157568d5b6d63791b9f020bdb1e6decdbc57350c28	767	5087	\N
recorded	34	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/n_accept}	\\x1c5f347e018e356bbd3e3f873dac5f852fbd0afcc85cf94374d30e0f6a6d2c6a	release_alice	\N	2026-11-24 04:25:29.588101+00	\N	\N	\N	\\x49cc63db0afd7f2a34bd30b7d644624304d26e24b7a79e82bcb393ef8316179c	768	5112	\N
recorded	35	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n_revise/-1,context/n_revise/1,node/n_revise,variable/draft_round,variable/history,variable/metrics,variable/revisions,variable/total_chars}	\\x8803535b3b236f80180b799cbb4f60981348091e29ca96b4908e07ca45cf6ea2	release_alice	\N	2026-11-24 04:25:29.588832+00	\N	\N	\N	\\xe513d38fbac885c12019a972cebd37a0ad6d8163c8553d70983122b753877433	769	5381	\N
recorded	36	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{engine/skip_nodes,loop/loop_rounds}	\\x6536287fe021d235eadda7f9e0ff40fa746164ed4be1aa38d8cfca56f83b235f	release_alice	\N	2026-11-24 04:25:29.589611+00	\N	\N	\N	\\xedf0ba4fa8a36dab4e3aff26c49e3fb471bd9528598ac6c44806ace4f0d4a940	770	5397	\N
recorded	37	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/n_draft}	\\x8364cc5f4ec7a63715b33023acc7349af4e91380ffd9c15aff8b1f220f3fdf02	release_alice	\N	2026-11-24 04:25:29.590374+00	\N	\N	\N	\\x9bc028a950334e0423fad8a312a3b06acc52e0d4a72684f06cfb779a98d5948a	771	5420	\N
recorded	38	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/cond_quality}	\\x0265e29f76df1cc0f854bcf43333cda3418ca2b4c5019bc6be017b862ade3837	release_alice	\N	2026-11-24 04:25:29.591115+00	\N	\N	\N	\\x678f718ba758be8bd82776a2f6bdfae3192220070b705be7e9034e6d817b9b07	772	5443	\N
recorded	39	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/n_accept}	\\x891e6e4bf0d09c3801ded41d480084c08b7eb900e2d9d6f685f088ce36ca3f55	release_alice	\N	2026-11-24 04:25:29.591958+00	\N	\N	\N	\\x1e3216843ad61346f2906fe05929c698a6be453ce78b0749ca9f32dcf180678a	773	5466	\N
recorded	40	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{node/n_revise}	\\xdfc831b07e5e07fd764da8471965a5e7100e5628d2609d466e19d2d57a4cee0f	release_alice	\N	2026-11-24 04:25:29.592727+00	\N	\N	\N	\\xa23b7d4ce00559236d7ff9f86233ba53d31b18acacc33af5a56b09c45aa94bd7	774	5489	\N
recorded	41	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.593476+00	\N	\N	\N	\\xafc931edc7a18ebaa0b7e93d77d14639a40be1f54338913317ba1275a4798f61	775	5491	\N
recorded	42	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n_draft/-1,context/n_draft/2,node/n_draft,variable/confidence,variable/draft}	\\x93b56e7975341e9ec5ce131de289f777dcf862f9fd20f35343589d9fdaa32ec6	release_alice	\N	2026-11-24 04:25:29.594281+00	\N	\N	\N	\\xc90ac1617146ad88126d819f2997784ec71079f59a4e1a18b54acaaaaf23bcda	776	5786	\N
recorded	43	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.59512+00	\N	\N	\N	\\xd555c1ad25c355af6b31bbdec7f318c0f9cd36ba83962c03db087fd97a59b3a7	777	5788	\N
recorded	44	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/cond_quality/-1,context/cond_quality/2,engine/skip_nodes,node/cond_quality}	\\x652a17c148bb1cd45dbbf530025309f67b9b51e05e5ba117a4bd87645ad5a10e	release_alice	\N	2026-11-24 04:25:29.595985+00	\N	\N	\N	\\xe28f4736cb3f62212f7b885bd2d73ac8ab0b9532fa65143e0159c21437dadba7	778	5937	\N
ver/sions	1	run.started	{"owner": "release_alice", "metadata": {"by": "hand"}}	\\x981694e1e826a9fe80f305f3a2218573101f404d3a068fc846156799fd4d140d	{variable/a,variable/list,variable/ünï}	\\x4d8c21ed8e5af034d5aa5619a63a4bd55be10d52729c61d0b08f8a953130100a	release_alice	\N	2026-11-24 04:25:29.603694+00	\N	\N	\N	\\xc803ac0023b62a9f44e673393c17874edab9edaa7f0ccd2d3fcbf1ce9ae7437b	779	71	\N
ver/sions	2	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/n}	\\xa6fbfe87ad0af8c5600e2f4866a15f8672bbdc1c2646ff0dbb397903a9d870e4	release_alice	\N	2026-11-24 04:25:29.604319+00	\N	\N	\N	\\x03be0131fca63a0c4f9e2bea50f4b73594610c369ec41507a9068d80373f5efa	780	74	\N
ver/sions	3	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xbe0b14ab46c0afa0179bf3038c86284bda97076d10ebe2d9fe2e53f537da6ee5	release_alice	\N	2026-11-24 04:25:29.604874+00	\N	\N	\N	\\x0be6a0ea84e331735be32a92f6772441e8d6b8c8d30a23d56338e46a555d0dd8	781	88	\N
ver/sions	4	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x666799db3a1416d715c8ec8ea4d6be8a9c5798f9417c140953143353d45f59c1	release_alice	\N	2026-11-24 04:25:29.605221+00	\N	\N	\N	\\x8edf4992164808e273f326657242732c41eceba423104b94023b12e618993833	782	113	\N
ver/sions	5	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x34745759be057652a97425f704d36af15063acbc43143e20c1d336aa57f91312	release_alice	\N	2026-11-24 04:25:29.605496+00	\N	\N	\N	\\x4d3c9b658181399ea01822d34d4d1d84146a5ea436fb295e8612bd2c661bb163	783	149	\N
ver/sions	6	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x62dcb7c8fae5c2d5434ae921b5e8c3e6ffa6a7098e259612bce9202478300c7f	release_alice	\N	2026-11-24 04:25:29.605758+00	\N	\N	\N	\\x7d202fd41ae1b4c6cc90d3695997ee7810ea9a2b642fa3a952b52aeca2bfab47	784	196	\N
ver/sions	7	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x3965105d35f0e1e99f6f79dc3d5205329947fd0821f2bb0da3e22fcd56d88df3	release_alice	\N	2026-11-24 04:25:29.606043+00	\N	\N	\N	\\x53da2df132f1d7367df0df52f5c515d62d9f3545dc26517ca4a89a7cc366264f	785	254	\N
ver/sions	8	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xe7715a10658983fedb544c7aefa6f71207af161d93631aeb6435412a7eb470b0	release_alice	\N	2026-11-24 04:25:29.606374+00	\N	\N	\N	\\xaeb0034f4144792122b95eec97c4882f75c5a80c0ea80694c4ac8474f6da1f57	786	323	\N
ver/sions	9	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x84bf9a8add9affc293b148e6e430b666e69dd664d93d9704905beb536f367441	release_alice	\N	2026-11-24 04:25:29.606699+00	\N	\N	\N	\\xa478e600640b2c11d654ab5d1766bb82d1d6d5de24dac16c55a6d7eecafe2769	787	403	\N
ver/sions	10	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x05d12de0b8705c52580c079a2fed06405cc78f6dc80da60ac4ab56b6ae46f493	release_alice	\N	2026-11-24 04:25:29.606981+00	\N	\N	\N	\\xe46c489d88199a5d104806c7922de39ccf51732f748693683a4a799492ba49e4	788	494	\N
ver/sions	11	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xf5f8d9e50b99b39c4580b3e4739788e8432994cdebc942a123330a429e27fa06	release_alice	\N	2026-11-24 04:25:29.60728+00	\N	\N	\N	\\x6e689cfee3193dd479546a5e56f43eb1aaf7623aaf5b6b5c2c95e10014504b79	789	596	\N
ver/sions	12	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x4680ff325240ebd2f2ebfb36807cb9dc964289a2283fb51a1b0852be5017ab28	release_alice	\N	2026-11-24 04:25:29.607676+00	\N	\N	\N	\\xc2a2130c406db06df027b9d92d9e00db434dd40fd3bee76d4d4ceceee03287b6	790	710	\N
ver/sions	13	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x26b42f9cb39ec7ce3556102ad9597fabda2081d2d6e504a6a9ed3d6cf552d2e7	release_alice	\N	2026-11-24 04:25:29.607984+00	\N	\N	\N	\\x62ab0d6413100b0650b89331d75d4b603a412d3b616336742cda09bf10a305ef	791	836	\N
ver/sions	14	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x615faf1df7522b41b72ba3e3027bfa3cc3d326ab8498f39412dc974e1624c273	release_alice	\N	2026-11-24 04:25:29.60827+00	\N	\N	\N	\\xcee13f64f24d74ba5b2ca60e50c33f5f9ebe902ba0e8615d507e9f777e950d56	792	974	\N
ver/sions	15	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x6fcd17408b3b8302dc7cdbf78f20e75f874fe45e8fc3db77debd4a386f9b7812	release_alice	\N	2026-11-24 04:25:29.608498+00	\N	\N	\N	\\x1bdf81b4af28c11d3c35a60936070cf09caafe6983a3ec5dd26547ef53adc0f2	793	1124	\N
ver/sions	16	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xdc006e6dbe953e5c015eee9d5798e86e2f5e8e058c37d74e1c8eb2a1bc342f53	release_alice	\N	2026-11-24 04:25:29.608723+00	\N	\N	\N	\\xb54569f1ff9dc98db272755bea0c230577242531b0c330240176eb27dcf3d901	794	1286	\N
ver/sions	17	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x7e4d5cb26385d922a39ea3d031ea21b6a30aa3a6675f35ce8d0d610127b2df96	release_alice	\N	2026-11-24 04:25:29.608956+00	\N	\N	\N	\\x787e4442d3a27480d02fe25ac1af12e698ff76765a6607d59d4ebd8b14ec94f8	795	1460	\N
ver/sions	18	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x15fdf701cdfdde94c75a30aae141d8fd9bd3b9297abdbd35ecdd8be4e1b157cb	release_alice	\N	2026-11-24 04:25:29.609356+00	\N	\N	\N	\\x4fed95b673e89cc5cfc7274358d32fe95d7d6bd436ff3081be8e5fb1451650ef	796	1646	\N
ver/sions	19	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xb142a57a850a2ddb8eacb09330be5957372d19b44e3ab7b4facc8b2244161f25	release_alice	\N	2026-11-24 04:25:29.609596+00	\N	\N	\N	\\x7ba3f0b3d9386f21172035e4195299cb83f4ab8fc9f178e1ae7593632c9d8255	797	1844	\N
ver/sions	20	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x36b8afca45c0b407a3716874e9530b316437d2993106afc521d80e08926db748	release_alice	\N	2026-11-24 04:25:29.609823+00	\N	\N	\N	\\x6626468f8fd6b57f297201e96fcf7a36918bc905002ad560d91cd6bcb46250f3	798	2054	\N
ver/sions	21	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xebd137860cb0f1ce2aab6ac3286d0014029d6e319379971635f967b16ffdd66f	release_alice	\N	2026-11-24 04:25:29.610096+00	\N	\N	\N	\\x43893eea159d6ddeb2e6753f7f04b3a62f70996425dbdd70bd3a44ce34d6ece9	799	2276	\N
ver/sions	22	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x3e0bbfb03931f4d82a2b8975ceac65f3a13b76eea5559fc905a283227db19cfb	release_alice	\N	2026-11-24 04:25:29.610417+00	\N	\N	\N	\\x86fba1e4f05f55d9a3c78b5564e50edb6441493f24b2e5b69b9cb4d15a13694b	800	2510	\N
ver/sions	23	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x3b73463a10b1ee0744499181e542a494709e5feb86a0c7e226e1725a002721aa	release_alice	\N	2026-11-24 04:25:29.610656+00	\N	\N	\N	\\xf96aac30b5907d7ee3c3327d578ef55a10eae608a8f0f119e5c6117f51c32a4a	801	2756	\N
ver/sions	24	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x929d3ebbff7ad50c3781b7875fe15bb764d5dd4050252ebba326fb70f3c7019f	release_alice	\N	2026-11-24 04:25:29.610882+00	\N	\N	\N	\\x854c9fc1de9d500d6fa16354f7979795f4ea040440f83455bcf4cc24c0811084	802	3014	\N
ver/sions	25	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xa0300a7d3091fc580f004d6419f70a1c9f2da26e57e7e5b78990ed88e0c4a8f4	release_alice	\N	2026-11-24 04:25:29.611161+00	\N	\N	\N	\\x19a85bb7cd6eb6081d06e8572ab9b99f6c17399414136eaada2c3f8cf7114f10	803	3284	\N
ver/sions	26	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xe454b06ada0efe8fb7580e28f703a64cbe1b6d1b960bb1d5237a91433b6f70e6	release_alice	\N	2026-11-24 04:25:29.611526+00	\N	\N	\N	\\x500abc95b5ef05ea06ae45c4a0a0a3f033463758bbae209ae4d187f8dac04033	804	3566	\N
ver/sions	27	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xc660966e8c4fefb40644cc4fbb414208e7e14a3c47b26101113a47557c8459c6	release_alice	\N	2026-11-24 04:25:29.611847+00	\N	\N	\N	\\xfa8c8fe164fa5da48668aa985450c7d5978a9d00836c96075689aaa5a1abe395	805	3860	\N
ver/sions	28	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x5c578800e17f41b603c5b67407ded46b9bbb4a4cd1a6a6e07f91aa3d3d2c14f9	release_alice	\N	2026-11-24 04:25:29.612118+00	\N	\N	\N	\\x404506552d29ca0ce0e5c14f21c4dbd62d931f4b984345ac79d48db997a3782b	806	4166	\N
ver/sions	29	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xe6c10d9582e42a823880a8c3a0c487980773201a42fb25361a9dcb4ecdfd1999	release_alice	\N	2026-11-24 04:25:29.612361+00	\N	\N	\N	\\xfe2ed595c454f6470b390528d41fb3af70db97d87f3e2c9b716b0fab9764106b	807	4484	\N
ver/sions	30	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\xa88da1b3864be2cbe660063fa45f5848342b6e641fae22079b8c2f248db6312b	release_alice	\N	2026-11-24 04:25:29.612587+00	\N	\N	\N	\\xa72963bcca8242c8f471b0838d37a0f9494ae71a20363440c33367575fcc8188	808	4814	\N
ver/sions	31	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/list,variable/n}	\\x7dbf24e108fd9f8fb788ab84aa9d1a2d347efc7fdb88e234b7decdac6e0f06a4	release_alice	\N	2026-11-24 04:25:29.612814+00	\N	\N	\N	\\xad9f35942a1275ff6ed87b191ce7773b472be6f9a80e2308cf283fad93f4672e	809	5156	\N
ver/sions	32	checkpoint.created	{"metadata": {}}	\\xc3642e5d26fe5583bb25b11b914d013b5077b39cfc4b9b7f634912d4215863c1	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.613293+00	\N	manual	mark	\\x1e436549cb2a3c2e689ae4c7713a4e6058be91c076476fe233dbac739dfd2685	810	0	32
ver/sions	33	variables.unset	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/a,variable/ünï}	\\xdf5e0887d646ed4b857c8f366489030ce72b790c22ced605e2a92639b5c7e7ed	release_alice	\N	2026-11-24 04:25:29.614566+00	\N	\N	\N	\\x47ff499c0c615b0bc3f07961f2a9b8e78d261f88bb10a53373165a6f6faed874	811	2	32
ver/sions	34	mail.sent	{"to": "x"}	\\x15a3f1be8a2eff25e348c912edea400ed502b307aa8c71b52c2740f610bd7c45	{variable/sent}	\\x1b23af9b16fd11acfd21b76584edd870e33ae33365fd91605dc591ef4c794945	release_alice	\N	2026-11-24 04:25:29.614913+00	mail	\N	\N	\\xfb3600f3c36abf03647cc101c2d2ffade3c4fad34afd33e55946fed066385dc0	812	414	32
ver/sions	35	run.rolled_back	{"reason": "went wrong", "status": "running", "to_version": 20}	\\x45fef288356401d69533ae132c5b8447f31a504067ccd30671da09a04d435057	{variable/a,variable/list,variable/n,variable/sent,variable/ünï}	\\x39eb14ec4ee1e6c07a4f35ea617361342a6abf6bd916099a6ca7839a80b05255	release_alice	\N	2026-11-24 04:25:29.615332+00	\N	\N	\N	\\xe773b24f6e897e966ad92d83e644a64e8405c8a1c65cb232faef56e29d99a052	813	477	32
ver/sions	36	run.rolled_back	{"label": "mark", "reason": "that was right", "status": "running", "to_version": 32}	\\xf1c1e9ecaf05376e9466e2ac06835f5ffc9d6cce582cb312ec1bc74da90576c2	{variable/list,variable/n}	\\x7dbf24e108fd9f8fb788ab84aa9d1a2d347efc7fdb88e234b7decdac6e0f06a4	release_alice	\N	2026-11-24 04:25:29.616666+00	\N	\N	\N	\\x393629d22348675dcfa04878abeeb76740b46c9a53c77048c7cfb39e668e24d2	814	561	32
ver/sions	37	checkpoint.protected	{"label": "mark", "version": 32}	\\x525d3a5a7f3aab6798621807bf25028572cdf0f7eeb1d239e8d4c0223ffa24e5	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_alice	\N	2026-11-24 04:25:29.61708+00	\N	\N	\N	\\x32e1320e58e3ac3a23c7c84e27829101ac8d0c1aa93163c1595987516502e167	815	593	32
lists	1	state.saved	{"owner": "release_alice", "metadata": {}}	\\x9912479fe58caba7a67975471909a58bb411b80d493d492f7dc825c2d2bbec01	{context/n/-1,context/n/0,context/n/1,context/n/2,context/n/3,context/n/4,context/n/5,context/n/6,context/n/7,context/n/8,context/n/9,context/n/10,context/n/11,engine/layra.document,engine/stack}	\\x80dcdbc73865188a989bf1ef2182abca8671420f8e754126f6c4b06a2cfcecc5	release_alice	\N	2026-11-24 04:25:29.617474+00	\N	\N	\N	\\x6e8f804197202769e58ba7566d1e0437a983533d52c6f25bba5cc1933c5a77d7	816	179	\N
lists	2	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n/-1,context/n/7,context/n/8,context/n/9,context/n/10,context/n/11,engine/stack}	\\x74a662fb436df924d41a239013c2da77d69553820782a61d6f41913d1912ea6a	release_alice	\N	2026-11-24 04:25:29.617848+00	\N	\N	\N	\\xb0265a1f95949b8d439e8dcd356d78158b9d43fddb43b3f18eddf590c44927e1	817	217	\N
lists	3	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n/-1,context/n/7,context/n/8,engine/stack}	\\x5785c13aad8b19e8444743f4f7814aebed58d69bfa53f4ed1c7518a9dd06a0dc	release_alice	\N	2026-11-24 04:25:29.618365+00	\N	\N	\N	\\x185e9bb2c35df30161537815de024d52cc7561b03ed808703b8daa1b3f25a471	818	271	\N
lists	4	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n/-1,context/n/0,context/n/1,context/n/2,context/n/3,context/n/4,context/n/5,context/n/6,context/n/7,context/n/8,engine/stack}	\\x2500b359667d881d02c4347615f741c0d26c000e8f3691dcd11888e1159e5266	release_alice	\N	2026-11-24 04:25:29.618829+00	\N	\N	\N	\\x40abf5f03bedf14793d5c5646954f48d9010483a8ed8c6adb1fb7ebec9318f12	819	309	\N
lists	5	state.saved	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{context/n/-1,context/n/0,context/n/1,context/n/2,engine/stack}	\\x92cdd3e0e669b1b24e86d4438719603d0abc24f39eae1a4d19c888307c5b6392	release_alice	\N	2026-11-24 04:25:29.61939+00	\N	\N	\N	\\xd0abd73db42c167b575a562725b8cb166bbd382e45c639604d752fe0c0b1d78d	820	371	\N
parent	1	run.started	{"owner": "release_bob", "metadata": {}}	\\x905a1c47e4f1046d364ff37ba276450d643846057000658ee101e5ca9ff07306	{variable/a}	\\x4c08164e79d213ac0a0cdae97d4e864b039deb36910c8029d8d75cce57938abe	release_bob	\N	2026-11-24 04:25:29.621727+00	first	\N	\N	\\x8f90509767637a8bb36ab222545efdcbfd84a7bfaa6d13110f680021a88722c2	821	41	\N
parent	2	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/a}	\\xb514c6df4802e6c7eb77a6559492035e259ceec42baf881e73ee82f0d312d119	release_bob	\N	2026-11-24 04:25:29.624284+00	second	\N	\N	\\xcd2cf08ec8dbb322503a221b5294c5c2291ca1c5344d14738b58750f8ec8b2e6	822	44	\N
child	1	run.forked	{"owner": "release_bob", "parent": {"hash": "cd2cf08ec8dbb322503a221b5294c5c2291ca1c5344d14738b58750f8ec8b2e6", "run_id": "parent", "version": 2}, "metadata": {}}	\\xce17cb8ee9216793101b1373044293a69df2f31d4376a39cfaedbd2a197aea31	{variable/a}	\\xb514c6df4802e6c7eb77a6559492035e259ceec42baf881e73ee82f0d312d119	release_bob	\N	2026-11-24 04:25:29.625133+00	\N	\N	\N	\\x198721956598e0cb1a99e1ef1a7f45848855ec14ebccc9553eeee605cf9cb459	823	162	\N
grandchild	1	run.forked	{"owner": "release_bob", "parent": {"hash": "198721956598e0cb1a99e1ef1a7f45848855ec14ebccc9553eeee605cf9cb459", "run_id": "child", "version": 1}, "metadata": {}}	\\x7b2803bd79383044f2031d2a6b0e30b9ad4a945ee196af5336b7b0dfda888c49	{variable/a}	\\xb514c6df4802e6c7eb77a6559492035e259ceec42baf881e73ee82f0d312d119	release_bob	\N	2026-11-24 04:25:29.627722+00	\N	\N	\N	\\x2e586d99c25c860387eb0e5dc63e74269501f9fcf11468c509d13b8230f8eac1	824	161	\N
grandchild	2	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/b}	\\xcc18b2b8517085f486b2d8028d976f17834383005551ec54a086682e0dd8c574	release_bob	\N	2026-11-24 04:25:29.628174+00	\N	\N	\N	\\x6c4dc7c34812dd1d56d2cf136ffaee5752f152576c179bdd7e974a3db8f6a438	825	164	\N
orphan	1	run.forked	{"owner": "release_bob", "parent": {"hash": "85ea000dfa56be012b92692b11ce9f72995e716338d30e971c80f50eb653d01f", "run_id": "gone", "version": 1}, "metadata": {}}	\\x21cf0e823a48d4c4c6eb82da400e4b5188e51e3b10eb60b636bd5a3a31ae699a	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_bob	\N	2026-11-24 04:25:29.628654+00	\N	\N	\N	\\x7f4810e2367a91f9e03f21614cffd7179b834fa5bf24bc7f22866df18d92b734	827	160	\N
parent	3	run.finished	{"result": {"why": "x"}, "status": "failed"}	\\x57cf71a49f3e1720389b100842766aa8bbe30862d49d4b34f9f5c8c6820c2b67	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_bob	\N	2026-11-24 04:25:29.630335+00	\N	\N	\N	\\x29a7d66404b3eb545e551c00eb6ec9f9be5fdfd3c9f192fe0b4022fa3d6e2838	829	88	\N
parent	4	run.reopened	{"reason": "again"}	\\xe59cbd6c26c53b7bc87103bb6c0c71e10c543521de353141feabca8018438764	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_bob	\N	2026-11-24 04:25:29.63066+00	\N	\N	\N	\\x63e8d4b0ae83eb924622381b5ec80c08528b3f6f84165897ff110f918110ab1f	830	107	\N
child	2	run.cancelling	{"reason": "no more"}	\\x6394414b5598f7eb03f7fe5466feabfa5e5493d4eaee7e432560ae1a36c82e07	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_bob	\N	2026-11-24 04:25:29.630928+00	\N	\N	\N	\\x814e4c7bf05087d98dc712465a7be0ff723373d1bb92304c7220193a2596de24	831	183	\N
grandchild	3	run.finished	{"status": "completed"}	\\x9775cc77ce4151d1e36df2f4ca2278deb0d8e0a3b536b4841f5f09a709432fb2	{}	\\xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262	release_bob	\N	2026-11-24 04:25:29.631176+00	\N	\N	\N	\\x1fd44dc9c123b299d787d494af69dfb80176850ef63812fa6bb9086d5493fd01	832	187	\N
defined	1	run.started	{"owner": "release_alice", "metadata": {}, "workflow": {"hash": "d1e3718078329f111aa3497c0cf6c5488c274866f050a99265f3c71989af927c", "name": "billing", "owner": "release_alice", "version": 1}}	\\x3615c6fb7ca23ed879da78ea9a99d4802a0f689b3a13ba23a3a48a2e0270ef68	{engine/layra.graph,variable/total}	\\x9d834b532344ac6186d9b7dbf2e6ef6ac619da7782963ed20648e11e9a8058b5	release_alice	\N	2026-11-24 04:25:29.644411+00	\N	\N	\N	\\xbaf08a678d061cb396ddd6a95266f5f8f5de3b4306417a3789d20bd7c71e9302	836	294	\N
defined	2	variables.set	{}	\\x6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279	{variable/total}	\\x6f0b2efd153848f496d4d311d276596bd7e168445401f4378318f0212b27bda4	release_alice	\N	2026-11-24 04:25:29.644926+00	\N	\N	\N	\\x31c4d2d566804fbbd8799e4e3e5eb5fb52fc97af55a347d6d73a70cb2bcf16fc	837	301	\N
of shared	1	run.started	{"owner": "release_alice", "metadata": {}, "workflow": {"hash": "d1e3718078329f111aa3497c0cf6c5488c274866f050a99265f3c71989af927c", "name": "shared flow", "owner": "release_admin", "version": 1}}	\\x6bd61bcf4581f0459df59e0c4d1c6a2ae335230d9a1c3cb4b3314875c0e1ff34	{engine/layra.graph,variable/total}	\\x9d834b532344ac6186d9b7dbf2e6ef6ac619da7782963ed20648e11e9a8058b5	release_alice	\N	2026-11-24 04:25:29.645286+00	\N	\N	\N	\\x03a6e472b9940307bfed3b5c6e25e6ec3fd5984c4aab259ed35e149aeceac5ad	838	298	\N
\.


--
-- Data for Name: graph; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.graph (owner, hash, nodes, edges) FROM stdin;
release_alice	\\x9806700c9cd9e7e3ead25c22b4efdb910aeed3e8487dd9b06adb706e907571be	[{"id": "node_start", "data": {"name": "Start"}, "type": "start"}, {"id": "n_init", "data": {"pip": {}, "code": "import json\\nsections=['Background','Method','Results']\\nsection_index=0\\nreport_title='Quarterly retrieval audit'\\nmetrics={'accepted':0,'revised':0,'by_section':{}}", "name": "Init", "remove": false, "timeout": 60, "imageUrl": ""}, "type": "code"}, {"id": "loop_sections", "data": {"name": "Sections", "loopType": "count", "maxCount": 3, "condition": ""}, "type": "loop"}, {"id": "n_plan", "data": {"pip": {}, "code": "if current_section: metrics['by_section'][current_section]={'rounds':draft_round,'chars':total_chars}\\nprogress=round(section_index/len(sections),4)\\ncurrent_section=sections[section_index]\\nsection_index=section_index+1\\ndraft_round=0\\nhits=[{'doc':'D%03d'%(section_index*7+i),'page':i+1,'score':round(0.91-0.07*i,3)} for i in range(5)]", "name": "Plan section", "remove": false, "timeout": 60, "imageUrl": ""}, "type": "code"}, {"id": "loop_rounds", "data": {"name": "Rounds", "loopType": "count", "maxCount": 4, "condition": ""}, "type": "loop"}, {"id": "n_draft", "data": {"name": "Draft", "mcpUse": {}, "prompt": "You are drafting {{ report_title }}", "vlmInput": "Draft {{ current_section }} round {{ draft_round }}", "modelConfig": {"model_name": "local"}, "useChatHistory": false, "isChatflowInput": false, "isChatflowOutput": false, "chatflowOutputVariable": "draft"}, "type": "vlm"}, {"id": "cond_quality", "data": {"name": "Quality gate", "conditions": {"1": "confidence >= 0.7", "2": "confidence < 0.7"}}, "type": "condition"}, {"id": "n_accept", "data": {"pip": {}, "code": "accepted=accepted+[current_section+'#'+str(draft_round)]\\nmetrics['accepted']+=1\\ndraft_round=draft_round+1\\ntotal_chars=total_chars+len(draft)\\nhistory=history+[{'section':current_section,'round':draft_round,'confidence':confidence,'chars':len(draft)}]", "name": "Accept", "remove": false, "timeout": 60, "imageUrl": ""}, "type": "code"}, {"id": "n_revise", "data": {"pip": {}, "code": "revisions=revisions+1\\nmetrics['revised']+=1\\nfeedback='raise confidence above '+str(threshold)\\ndraft_round=draft_round+1\\ntotal_chars=total_chars+len(draft)\\nhistory=history+[{'section':current_section,'round':draft_round,'confidence':confidence,'chars':len(draft)}]", "name": "Revise", "remove": false, "timeout": 60, "imageUrl": ""}, "type": "code"}, {"id": "n_review", "data": {"name": "Human review", "mcpUse": {}, "prompt": "You are drafting {{ report_title }}", "vlmInput": "", "modelConfig": {"model_name": "local"}, "useChatHistory": false, "isChatflowInput": true, "isChatflowOutput": false, "chatflowOutputVariable": "review"}, "type": "vlm"}, {"id": "n_final", "data": {"pip": {}, "code": "approved=True\\nprogress=1.0\\nreport={'title':report_title,'sections':accepted,'metrics':metrics,'review':review[:60]}", "name": "Finalize", "remove": false, "timeout": 60, "imageUrl": ""}, "type": "code"}]	[{"id": "node_start-out-n_init", "source": "node_start", "target": "n_init", "sourceHandle": ""}, {"id": "n_init-out-loop_sections", "source": "n_init", "target": "loop_sections", "sourceHandle": ""}, {"id": "loop_sections-loop_body-n_plan", "source": "loop_sections", "target": "n_plan", "sourceHandle": "loop_body"}, {"id": "n_plan-out-loop_rounds", "source": "n_plan", "target": "loop_rounds", "sourceHandle": ""}, {"id": "loop_rounds-loop_body-n_draft", "source": "loop_rounds", "target": "n_draft", "sourceHandle": "loop_body"}, {"id": "n_draft-out-cond_quality", "source": "n_draft", "target": "cond_quality", "sourceHandle": ""}, {"id": "cond_quality-condition-1-n_accept", "source": "cond_quality", "target": "n_accept", "sourceHandle": "condition-1"}, {"id": "cond_quality-condition-2-n_revise", "source": "cond_quality", "target": "n_revise", "sourceHandle": "condition-2"}, {"id": "n_accept-loop_next-loop_rounds", "source": "n_accept", "target": "loop_rounds", "sourceHandle": "loop_next"}, {"id": "n_revise-loop_next-loop_rounds", "source": "n_revise", "target": "loop_rounds", "sourceHandle": "loop_next"}, {"id": "loop_rounds-loop_next-loop_sections", "source": "loop_rounds", "target": "loop_sections", "sourceHandle": "loop_next"}, {"id": "loop_sections-out-n_review", "source": "loop_sections", "target": "n_review", "sourceHandle": ""}, {"id": "n_review-out-n_final", "source": "n_review", "target": "n_final", "sourceHandle": ""}]
release_alice	\\x3c2fdcb8ae144e69127a598785a57d5c601eb079d07ec2dad606d0d1855237ac	[{"id": "s", "type": "start"}, {"id": "e", "type": "end"}]	[{"source": "s", "target": "e"}]
release_alice	\\x3f97bc0876890987cb2ee1bdbb05208107cb5ff3bff4cacc3e0070a7c49e9db4	[{"id": "s", "type": "start"}, {"id": "e", "type": "end"}]	[]
release_admin	\\x3c2fdcb8ae144e69127a598785a57d5c601eb079d07ec2dad606d0d1855237ac	[{"id": "s", "type": "start"}, {"id": "e", "type": "end"}]	[{"source": "s", "target": "e"}]
\.


--
-- Data for Name: inherited_key; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.inherited_key (run_id, idempotency_key, type) FROM stdin;
orphan	kept	run.started
\.


--
-- Data for Name: run; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.run (run_id, status, owner, workflow_owner, workflow, workflow_version, definition_hash, parent_run_id, parent_version, metadata, result, created_at, finished_at) FROM stdin;
recorded	running	release_alice	\N	\N	\N	\N	\N	\N	{}	\N	2026-11-24 04:25:29.558509+00	\N
ver/sions	running	release_alice	\N	\N	\N	\N	\N	\N	{"by": "hand"}	\N	2026-11-24 04:25:29.603694+00	\N
lists	running	release_alice	\N	\N	\N	\N	\N	\N	{}	\N	2026-11-24 04:25:29.617474+00	\N
orphan	running	release_bob	\N	\N	\N	\N	gone	0	{}	\N	2026-11-24 04:25:29.628654+00	\N
parent	running	release_bob	\N	\N	\N	\N	\N	\N	{}	\N	2026-11-24 04:25:29.621727+00	\N
child	cancelling	release_bob	\N	\N	\N	\N	parent	2	{}	\N	2026-11-24 04:25:29.625133+00	\N
grandchild	completed	release_bob	\N	\N	\N	\N	child	1	{}	\N	2026-11-24 04:25:29.627722+00	2026-11-24 04:25:29.631176+00
defined	running	release_alice	release_alice	billing	1	\\xd1e3718078329f111aa3497c0cf6c5488c274866f050a99265f3c71989af927c	\N	\N	{}	\N	2026-11-24 04:25:29.644411+00	\N
of shared	running	release_alice	release_admin	shared flow	1	\\xd1e3718078329f111aa3497c0cf6c5488c274866f050a99265f3c71989af927c	\N	\N	{}	\N	2026-11-24 04:25:29.645286+00	\N
\.


--
-- Data for Name: workflow; Type: TABLE DATA; Schema: layra; Owner: -
--

COPY layra.workflow (owner, name, version, shared, definition, hash, created_at) FROM stdin;
release_alice	billing	1	f	{"edges": [{"source": "s", "target": "e"}], "nodes": [{"id": "s", "type": "start"}, {"id": "e", "type": "end"}], "variables": {"total": {"group": "sums", "schema": {"type": "number"}, "default": 0}}}	\\xd1e3718078329f111aa3497c0cf6c5488c274866f050a99265f3c71989af927c	2026-11-24 04:25:29.637908+00
release_alice	billing	2	f	{"edges": [], "nodes": [{"id": "s", "type": "start"}, {"id": "e", "type": "end"}], "variables": {"total": {"group": "sums", "schema": {"type": "number"}, "default": 0}}}	\\x5daaa1cb804870d087143b79206e366a192d5a7b896e659005f741da764dec3d	2026-11-24 04:25:29.638669+00
release_admin	shared flow	1	t	{"edges": [{"source": "s", "target": "e"}], "nodes": [{"id": "s", "type": "start"}, {"id": "e", "type": "end"}], "variables": {"total": {"group": "sums", "schema": {"type": "number"}, "default": 0}}}	\\xd1e3718078329f111aa3497c0cf6c5488c274866f050a99265f3c71989af927c	2026-11-24 04:25:29.643717+00
\.


--
-- PostgreSQL database dump complete
--


